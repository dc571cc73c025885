#include "service/idempotency.h"

namespace latchkey::service {

Result<std::optional<EarlierAnswer>> Answers::Find(std::string_view scope,
                                                   const Digest& key_digest) {
  auto found = store_.FindAnswer(scope, key_digest, clock_.Now() - kAnswersKept);
  if (!found.ok()) return std::move(found).error();
  if (!found.value()) return std::optional<EarlierAnswer>();
  store::IdempotentAnswer& answer = *found.value();
  return std::optional<EarlierAnswer>(
      EarlierAnswer{answer.body_digest, std::move(answer.sealed_answer)});
}

}  // namespace latchkey::service
