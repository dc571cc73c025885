// A blocking TCP client for tests that need to say exactly which bytes are sent when.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace latchkey::test {

// Nothing waits longer than this: a test that hangs fails.
inline constexpr int kSocketTimeoutSeconds = 20;

class SocketClient {
 public:
  // Connects to 127.0.0.1. `receive_buffer` > 0 makes a reader whose window is soon full.
  explicit SocketClient(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const timeval limit{kSocketTimeoutSeconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }
  ~SocketClient() { Close(); }
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  bool connected() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  void EndSending() { ::shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // Closes with a reset instead of a goodbye.
  void Reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    Close();
  }

  // One answer by its Content-Length or its chunks, as received; what came before the end if the
  // peer closed. `head_only` for answers to HEAD.
  std::string ReadAnswer(bool head_only = false) {
    const std::size_t head = FillUntil("\r\n\r\n", 0);
    if (head == std::string::npos || head_only) return Take(head);
    const std::string_view lines(buffer_.data(), head);
    if (lines.find("Transfer-Encoding: chunked") != lines.npos) {
      return Take(FillUntil("\r\n0\r\n\r\n", head - 2));
    }
    const std::size_t field = lines.find("Content-Length: ");
    if (field == lines.npos) return Take(head);
    const std::size_t end = head + std::strtoull(lines.data() + field + 16, nullptr, 10);
    while (buffer_.size() < end && Fill()) {
    }
    return Take(end);
  }
  // Everything until the peer closes. `closed` false: it did not within the time.
  std::string ReadAll(bool* closed = nullptr) {
    while (Fill()) {
    }
    if (closed != nullptr) *closed = ended_;
    return Take(buffer_.size());
  }
  // Waits until the peer has sent something, and takes none of it.
  bool WaitForBytes() {
    char byte;
    return !buffer_.empty() || ::recv(fd_, &byte, 1, MSG_PEEK) == 1;
  }
  // Waits for the peer's end; false if bytes come first, or nothing in time.
  bool WaitForEnd() { return buffer_.empty() && !Fill() && ended_; }

 private:
  bool Fill() {
    char piece[64 * 1024];
    const ssize_t count = ::recv(fd_, piece, sizeof piece, 0);
    if (count <= 0) {
      ended_ = count == 0 || errno == ECONNRESET;
      return false;
    }
    buffer_.append(piece, static_cast<std::size_t>(count));
    return true;
  }
  // The offset behind `mark`.
  std::size_t FillUntil(std::string_view mark, std::size_t from) {
    for (;;) {
      const std::size_t at = buffer_.find(mark, from);
      if (at != std::string::npos) return at + mark.size();
      if (!Fill()) return std::string::npos;
    }
  }
  std::string Take(std::size_t count) {
    std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return taken;
  }

  int fd_;
  bool ended_ = false;
  std::string buffer_;
};

}  // namespace latchkey::test
