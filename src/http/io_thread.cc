#include "http/io_thread.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <boost/asio/post.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/connection.h"

namespace latchkey::http {
namespace {

IpAddress ToIpAddress(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    std::array<std::uint8_t, 4> v4;
    std::memcpy(v4.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, v4.size());
    return IpAddress::FromV4(v4);
  }
  std::array<std::uint8_t, 16> v6;
  std::memcpy(v6.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, v6.size());
  return IpAddress::FromV6(v6);
}

}  // namespace

// Connections are watched by an epoll set of our own, one descriptor to the io_context: asked to
// read, Asio tries a receive at once, which finds nothing after each answer, and asked to wait it
// changes its own set, a system call either way, for every request. Here a request costs one
// receive and one send, and each turn of the loop a few calls for all requests of it. Whatever else
// there is (accepts, the sweep, work from other threads, and what handlers may wait for) is Asio's.
//
// No locks around the reactor: what it watches belongs to this thread. Posting from other threads
// goes through the scheduler, which keeps its lock.
IoThread::IoThread()
    : context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      ready_(context_, ::epoll_create1(EPOLL_CLOEXEC)),
      started_(clock_.Monotonic()),
      timer_(context_),
      mailbox_(std::make_shared<Mailbox>(*this)) {
  UpdateClock();
}

IoThread::~IoThread() { mailbox_->Close(); }

ThreadListener& IoThread::AddListener(const ListenerOptions& options, Admission& admission) {
  listeners_.push_back(std::make_unique<ThreadListener>(options, admission, context_));
  return *listeners_.back();
}

void IoThread::UpdateClock() {
  now_ =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Monotonic() - started_).count();
  const Timestamp now = clock_.Now();
  const std::int64_t second = ToUnixMillis(now) / 1000;
  if (second != date_second_) {
    date_second_ = second;
    date_line_ = "Date: " + FormatHttpDate(now) + "\r\n";
  }
}

void IoThread::Run(int index) {
  ::pthread_setname_np(::pthread_self(), ("io-" + std::to_string(index)).c_str());
  UpdateClock();
  for (auto& listener : listeners_) listener->handler = listener->options.make_handler(index);
  for (auto& listener : listeners_) ArmAccept(*listener);
  ArmReady();
  ArmSweep();
  context_.run();
  mailbox_->Close();
  for (auto& listener : listeners_) listener->handler.reset();
}

void IoThread::ArmSweep() {
  timer_.expires_after(kSweepInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    Sweep();
    if (!finished_) ArmSweep();
  });
}

void IoThread::Sweep() {
  UpdateClock();
  // By index: a connection that is closed here leaves its slot, none comes in.
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.connection == nullptr) continue;
    if (slot.read_deadline > now_ && slot.write_deadline > now_) continue;
    slot.connection->OnDeadline();
  }
  for (auto& listener : listeners_) {
    if (listener->accept_paused) {
      listener->accept_paused = false;
      ArmAccept(*listener);
    }
    listener->handler->OnTick();
  }
}

void IoThread::ArmReady() {
  ready_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [this](const boost::system::error_code& error) {
                      if (error) return;
                      Dispatch();
                      if (!finished_) ArmReady();
                    });
}

void IoThread::Dispatch() {
  // Under load the next events are there when the last ones are done: some rounds save the way
  // through Asio, few enough that its own work is not kept waiting.
  constexpr int kRounds = 16;
  constexpr int kBusy = 2;
  std::array<epoll_event, 128> events;
  for (int round = 0; round < kRounds; ++round) {
    const int count =
        ::epoll_wait(ready_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (Connection* connection = Find(event.data.u64)) connection->OnReady(event.events);
    }
    if (count < kBusy) return;
  }
}

std::uint64_t IoThread::KeyOf(std::size_t slot) const {
  return std::uint64_t{slots_[slot].generation} << 32 | slot;
}

// Null if the connection that the key was made for is gone, whoever has its slot now.
Connection* IoThread::Find(std::uint64_t key) const {
  const std::size_t slot = key & UINT32_MAX;
  return KeyOf(slot) == key ? slots_[slot].connection : nullptr;
}

void IoThread::Resume(std::size_t slot) {
  asio::post(context_, [this, key = KeyOf(slot)] {
    if (Connection* connection = Find(key)) connection->OnReady(0);
  });
}

void IoThread::ArmAccept(ThreadListener& listener) {
  if (draining_) return;
  listener.acceptor.async_wait(Acceptor::wait_read,
                               [this, &listener](const boost::system::error_code& error) {
                                 if (error || draining_) return;
                                 Accept(listener);
                                 if (!listener.accept_paused) ArmAccept(listener);
                               });
}

// Takes what is in the queue, up to a bound: the wait tells of the rest.
void IoThread::Accept(ThreadListener& listener) {
  constexpr int kAcceptsPerTurn = 64;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const int fd =
        ::accept4(listener.acceptor.native_handle(), reinterpret_cast<sockaddr*>(&address), &length,
                  SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Admit(listener, fd, ToIpAddress(address));
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        // The queue would report it again at once: the next sweep tries.
        listener.accept_paused = true;
        return;
      default:
        break;  // that connection's fault (accept(2)), not the listener's
    }
  }
}

void IoThread::Admit(ThreadListener& listener, int fd, const IpAddress& peer) {
  listener.counters.accepted.Add();
  switch (listener.admission.Enter(peer)) {
    case Admission::Verdict::kTooMany:
      listener.counters.rejected_total.Add();
      ::close(fd);
      return;
    case Admission::Verdict::kTooManyOfAddress:
      listener.counters.rejected_per_address.Add();
      ::close(fd);
      return;
    case Admission::Verdict::kAdmitted:
      break;
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (free_slots_.empty()) {
    free_slots_.push_back(slots_.size());
    slots_.emplace_back();
  }
  const std::size_t index = free_slots_.back();
  // By edges, once for all: nothing is changed in the set until the socket is closed.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = KeyOf(index);
  if (::epoll_ctl(ready_.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0) {
    ::close(fd);
    listener.admission.Leave(peer);
    return;
  }
  free_slots_.pop_back();
  ++open_;
  listener.counters.open.Add();
  auto* connection = new Connection(*this, listener, fd, peer, index);
  slots_[index].connection = connection;
  connection->Start();
}

void IoThread::Remove(std::size_t index) {
  Slot& slot = slots_[index];
  const std::unique_ptr<Connection> connection(slot.connection);
  slot = Slot{nullptr, slot.generation + 1, kNever, kNever};
  free_slots_.push_back(index);
  --open_;
  connection->LeaveListener();
  FinishIfEmpty();
}

void IoThread::DrainMailbox() {
  for (Mailbox::Item& item : mailbox_->Take()) {
    if (item.deferred->connection != nullptr) item.deferred->connection->OnMail(item);
  }
}

void IoThread::RequestDrain() {
  asio::post(context_, [this] { BeginDrain(); });
}

void IoThread::RequestCut() {
  asio::post(context_, [this] { CutAll(); });
}

void IoThread::BeginDrain() {
  if (draining_) return;
  for (auto& listener : listeners_) {
    // Whoever is in the queue has been told that we accept.
    Accept(*listener);
    boost::system::error_code ignored;
    listener->acceptor.close(ignored);
  }
  draining_ = true;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].connection != nullptr) slots_[i].connection->OnDrain();
  }
  FinishIfEmpty();
}

void IoThread::CutAll() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].connection == nullptr) continue;
    ++cut_;
    slots_[i].connection->Cut();
  }
  FinishIfEmpty();
}

void IoThread::FinishIfEmpty() {
  if (!draining_ || finished_ || open_ > 0) return;
  finished_ = true;
  context_.stop();
}

}  // namespace latchkey::http
