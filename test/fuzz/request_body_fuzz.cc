// The JSON body of a write: the token in it and a dataset's definition. What is taken out is out,
// what is broken stays broken, and what an error says is printable.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "gateway/body_token.h"
#include "gateway/definition_json.h"

namespace {

using latchkey::gateway::BodyToken;
using latchkey::gateway::DefinitionBody;

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const bool only_shaped : {false, true}) {
    const std::optional<BodyToken> found = latchkey::gateway::FindBodyToken(body, only_shaped);
    if (!found) continue;
    Require(found->rest.size() <= body.size());
    Require(found->rest == body || !latchkey::gateway::FindBodyToken(found->rest, only_shaped));
  }
  const latchkey::Result<DefinitionBody> definition = latchkey::gateway::ParseDefinition(body);
  if (!definition.ok()) {
    Require(definition.error().code == latchkey::ErrorCode::kInvalid);
    Require(!definition.error().public_text.empty());
    for (const char c : definition.error().public_text) {
      Require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
    }
    return 0;
  }
  if (definition->fields) Require(definition->fields->size() <= latchkey::core::kMaxFields);
  return 0;
}
