// A growable run of bytes with a consumed front: what a connection reads into and writes from.
// Unlike std::string it never clears what it is about to overwrite.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace latchkey::http {

class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(ByteBuffer&& other) noexcept { swap(other); }
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    ByteBuffer moved(std::move(other));
    swap(moved);
    return *this;
  }
  void swap(ByteBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }

  const char* data() const { return data_.get() + begin_; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  std::string_view view() const { return {data(), size()}; }
  std::size_t capacity() const { return capacity_; }

  // Bytes that fit behind the end without moving anything.
  std::size_t room() const { return capacity_ - end_; }
  char* tail() { return data_.get() + end_; }
  void Commit(std::size_t count) { end_ += count; }
  void Consume(std::size_t count) { begin_ += count; }
  // To the front of what is allocated; only when nothing views into it.
  void Rewind() {
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Room for `count` more; moves the bytes if it must.
  void Reserve(std::size_t count) {
    if (room() < count) Grow(count);
  }
  void Append(std::string_view bytes) {
    Reserve(bytes.size());
    Put(bytes);
  }
  // Append without the check: the room was reserved.
  void Put(std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(tail(), bytes.data(), bytes.size());
    end_ += bytes.size();
  }
  void Free() { *this = ByteBuffer(); }

 private:
  void Grow(std::size_t count) {
    const std::size_t held = size();
    // The front alone is room enough, if moving there costs little.
    if (begin_ > 0 && capacity_ - held >= count && held <= capacity_ / 2) {
      std::memmove(data_.get(), data(), held);
    } else {
      std::size_t capacity = capacity_ < 512 ? 512 : capacity_;
      while (capacity - held < count) capacity *= 2;
      std::unique_ptr<char[]> grown(new char[capacity]);
      if (held > 0) std::memcpy(grown.get(), data(), held);
      data_ = std::move(grown);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = held;
  }

  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace latchkey::http
