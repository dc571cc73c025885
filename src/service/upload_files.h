// The files of uploads: what was sent, and the rows of it that were rejected. Mode 0600. Not
// thread-safe. Errors are kUnavailable: the disk is full or fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace latchkey::service {

class OutputFile {
 public:
  OutputFile() = default;
  // An empty file; one that stands is emptied.
  static Result<OutputFile> Create(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  ~OutputFile();

  Status Append(std::string_view bytes);
  // On disk with its name when it returns; closed.
  Status Finish();
  std::uint64_t size() const { return size_; }

 private:
  Status WriteOut();
  void Close();

  int fd_ = -1;
  std::string path_;
  std::string waiting_;
  std::uint64_t size_ = 0;
};

class InputFile {
 public:
  InputFile() = default;
  // kNotFound: it is gone.
  static Result<InputFile> Open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  // The next piece, until the next call; empty at the end.
  Result<std::string_view> Read();
  void Rewind() { at_ = 0; }

 private:
  int fd_ = -1;
  std::uint64_t at_ = 0;
  std::string piece_;
};

// A CSV file with the columns line, reason and text.
class RejectedLinesFile {
 public:
  RejectedLinesFile() = default;
  static Result<RejectedLinesFile> Create(const std::string& path);
  Status Add(std::uint64_t line, std::string_view reason, std::string_view text);
  Status Finish() { return file_.Finish(); }
  std::uint64_t size() const { return file_.size(); }

 private:
  OutputFile file_;
  std::string row_;
};

}  // namespace latchkey::service
