#include "core/upload_job.h"

namespace latchkey::core {

std::string_view ToString(UploadState state) {
  switch (state) {
    case UploadState::kValidating:
      return "VALIDATING";
    case UploadState::kValidated:
      return "VALIDATED";
    case UploadState::kIngesting:
      return "INGESTING";
    case UploadState::kIngested:
      return "INGESTED";
    case UploadState::kFailed:
      return "FAILED";
  }
  return "FAILED";
}

}  // namespace latchkey::core
