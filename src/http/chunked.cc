#include "http/chunked.h"

#include "base/encoding.h"

namespace latchkey::http {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ToLower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

}  // namespace

ChunkedDecoder::State ChunkedDecoder::Step(char c) {
  switch (state_) {
    case State::kSizeStart:
      line_bytes_ = 0;
      left_ = 0;
      [[fallthrough]];
    case State::kSize: {
      if (const int digit = HexValue(c); digit >= 0) {
        // 2^60 bytes are more than any bound; the check keeps the shift from losing bits.
        if (left_ >> 56 != 0) return State::kBad;
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        return ++line_bytes_ > 32 ? State::kBad : State::kSize;
      }
      if (state_ == State::kSizeStart) return State::kBad;
      if (c == '\r') return State::kSizeLf;
      // RFC 9112 §7.1.1 lets blanks stand before the semicolon; nobody sends them but to confuse.
      return c == ';' ? State::kExtension : State::kBad;
    }
    case State::kExtension:
      if (c == '\r') return State::kSizeLf;
      return IsControl(c) || ++line_bytes_ > kMaxLineBytes ? State::kBad : State::kExtension;
    case State::kSizeLf:
      if (c != '\n') return State::kBad;
      line_bytes_ = 0;
      return left_ == 0 ? State::kTrailerStart : State::kData;
    case State::kDataCr:
      return c == '\r' ? State::kDataLf : State::kBad;
    case State::kDataLf:
      return c == '\n' ? State::kSizeStart : State::kBad;
    case State::kTrailerStart:
      if (c == '\r') return State::kFinalLf;
      if (c == ':') return State::kBad;
      [[fallthrough]];
    case State::kTrailerName:
      // A field line: a name without blanks, then a colon.
      if (c == ':') return State::kTrailer;
      return IsControl(c) || c == ' ' || c == '\t' || ++line_bytes_ > kMaxTrailerBytes
                 ? State::kBad
                 : State::kTrailerName;
    case State::kTrailer:
      if (c == '\r') return State::kTrailerLf;
      return IsControl(c) || ++line_bytes_ > kMaxTrailerBytes ? State::kBad : State::kTrailer;
    case State::kTrailerLf:
      return c == '\n' ? State::kTrailerStart : State::kBad;
    case State::kFinalLf:
      return c == '\n' ? State::kEnd : State::kBad;
    case State::kData:
    case State::kEnd:
    case State::kBad:
      break;
  }
  return State::kBad;
}

ChunkedDecoder::Outcome ChunkedDecoder::Next(std::string_view& input, std::string_view& data) {
  while (state_ != State::kEnd && state_ != State::kBad && !input.empty()) {
    if (state_ == State::kData) {
      data = input.substr(0, left_);
      left_ -= data.size();
      input.remove_prefix(data.size());
      if (left_ == 0) state_ = State::kDataCr;
      return Outcome::kData;
    }
    state_ = Step(input.front());
    input.remove_prefix(1);
  }
  if (state_ == State::kEnd) return Outcome::kEnd;
  return state_ == State::kBad ? Outcome::kBad : Outcome::kNeedMore;
}

}  // namespace latchkey::http
