// The floor that requests are measured against: one thread, epoll, a fixed answer of 200 bytes with
// the headers of a real one, no parsing beyond the search for the head's end, keep-alive. Whatever
// an HTTP server does more than this is its own cost. Prints the port.
//
//   floor [PORT]
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\n"
    "Date: Tue, 24 Nov 2026 19:46:01 GMT\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: 77\r\n"
    "\r\n"
    R"([{"symbol":"AAPL","date":1267401600000,"price":223.02,"updated":12674016000}])";
static_assert(kAnswer.size() == 200);

bool Serve(int fd) {
  char buffer[16 * 1024];
  const ssize_t count = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (count <= 0) return false;
  std::string_view rest(buffer, static_cast<std::size_t>(count));
  std::size_t answers = 0;
  for (std::size_t end; (end = rest.find("\r\n\r\n")) != rest.npos;) {
    rest.remove_prefix(end + 4);
    ++answers;
  }
  while (answers-- > 0) {
    if (send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) < 0) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0));
  socklen_t length = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(listener, SOMAXCONN) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::perror("floor");
    return 1;
  }
  std::printf("%u\n", static_cast<unsigned>(ntohs(address.sin_port)));
  std::fflush(stdout);

  const int epoll = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  epoll_event events[128];
  for (;;) {
    const int count = epoll_wait(epoll, events, 128, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd != listener) {
        if (!Serve(fd)) close(fd);
        continue;
      }
      const int accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      if (accepted < 0) continue;
      setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      epoll_event added{};
      added.events = EPOLLIN | EPOLLET;
      added.data.fd = accepted;
      epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &added);
    }
  }
}
