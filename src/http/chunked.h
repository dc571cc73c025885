// The decoder of the chunked transfer coding (RFC 9112 §7.1), strict: CRLF alone ends a line, sizes
// are bare hex digits, extensions and trailers are bounded and dropped. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace latchkey::http {

class ChunkedDecoder {
 public:
  enum class Outcome : std::uint8_t { kNeedMore, kData, kEnd, kBad };

  // Takes bytes off the front of `input`. kData: `data` is the next piece of the body, a view into
  // what was taken; call again. kNeedMore: input is used up. kEnd: the body and its trailers are
  // over, what is left of input belongs to the next message. kBad: malformed; nothing more to call.
  Outcome Next(std::string_view& input, std::string_view& data);

  // What is still to come of the chunk that is being read, as its size line says.
  std::uint64_t ahead() const { return state_ == State::kData ? left_ : 0; }

 private:
  static constexpr std::uint32_t kMaxLineBytes = 1024;     // a size with its extensions
  static constexpr std::uint32_t kMaxTrailerBytes = 8192;  // all trailers

  enum class State : std::uint8_t {
    kSizeStart,
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailerName,
    kTrailer,
    kTrailerLf,
    kFinalLf,
    kEnd,
    kBad,
  };
  State Step(char c);

  State state_ = State::kSizeStart;
  std::uint32_t line_bytes_ = 0;
  std::uint64_t left_ = 0;
};

}  // namespace latchkey::http
