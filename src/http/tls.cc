#include "http/tls.h"

#include "http/connection.h"

namespace latchkey::http {
class TlsContext::Impl {};
std::unique_ptr<TlsStream> MakeTlsStream(TlsContext& context) {
  return std::make_unique<TlsStream>(context.NewSession());
}
TlsContext::~TlsContext() = default;
ssl_st* TlsContext::NewSession() { return nullptr; }
}  // namespace latchkey::http
