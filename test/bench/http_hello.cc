// The server of src/http with a fixed answer, to compare with floor: what the HTTP layer alone
// costs. One thread, one listener on 127.0.0.1; prints the port. With a folder it speaks TLS by a
// development certificate made there.
//
//   http_hello [PORT [FOLDER]]
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "env/clock.h"
#include "http/server.h"
#include "http/tls.h"

namespace {

using namespace latchkey;

class Hello final : public http::Handler {
 public:
  void OnRequest(http::Exchange& exchange) override {
    http::Response response;
    response.header_lines = "Content-Type: application/json; charset=utf-8\r\n";
    response.body = R"([{"symbol":"AAPL","date":1267401600000,"price":223.02}])";
    exchange.Answer(std::move(response));
  }
  void OnProtocolError(http::ProtocolError, std::string_view detail, const IpAddress&,
                       http::Response& answer) override {
    answer.header_lines = "Content-Type: text/plain; charset=utf-8\r\n";
    answer.body = detail;
  }
};

}  // namespace

int main(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  std::unique_ptr<http::TlsContext> tls;
  if (argc > 2) {
    auto certificate = http::EnsureDevelopmentCertificate(argv[2], SystemClock().Now());
    if (!certificate.ok()) return 1;
    auto context = http::TlsContext::Create({certificate->files});
    if (!context.ok()) return 1;
    tls = std::move(*context);
  }
  http::Server server(1);
  http::ListenerOptions options;
  options.name = "hello";
  options.address = *IpAddress::Parse("127.0.0.1");
  options.port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  options.tls = tls.get();
  options.make_handler = [](int) { return std::make_unique<Hello>(); };
  const auto port = server.Listen(std::move(options));
  if (!port.ok()) {
    std::fprintf(stderr, "%s\n", port.error().public_text.c_str());
    return 1;
  }
  server.Start();
  std::printf("%u\n", static_cast<unsigned>(*port));
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return server.Stop(std::chrono::seconds(1)) ? 0 : 1;
}
