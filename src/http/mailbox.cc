#include "http/mailbox.h"

#include <boost/asio/post.hpp>

#include "http/io_thread.h"

namespace latchkey::http {

Deferred::Deferred(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) { ++impl_->handles; }
Deferred::Deferred(Deferred&&) noexcept = default;

Deferred& Deferred::operator=(Deferred&& other) noexcept {
  Deferred moved(std::move(other));
  std::swap(impl_, moved.impl_);
  return *this;
}

Deferred::~Deferred() {
  if (impl_ == nullptr || --impl_->handles > 0) return;
  if (impl_->over.load(std::memory_order_acquire)) return;
  const std::shared_ptr<Mailbox> mailbox = impl_->mailbox;
  mailbox->Send({Mailbox::Item::Kind::kDropped, std::move(impl_), nullptr});
}

void Deferred::Post(std::function<void(Exchange&)> work) {
  if (impl_->over.load(std::memory_order_acquire)) return;
  impl_->mailbox->Send({Mailbox::Item::Kind::kWork, impl_, std::move(work)});
}

void Deferred::ResumeBody() {
  if (impl_->over.load(std::memory_order_acquire)) return;
  impl_->mailbox->Send({Mailbox::Item::Kind::kResume, impl_, nullptr});
}

bool Deferred::Abandoned() const { return impl_->gone.load(std::memory_order_relaxed); }

void Mailbox::Send(Item item) {
  // An item that is not taken is destroyed after the lock is gone: it may hold a Deferred.
  const MutexLock lock(mutex_);
  if (thread_ == nullptr) return;
  items_.push_back(std::move(item));
  if (items_.size() == 1) {
    asio::post(thread_->context(), [thread = thread_] { thread->DrainMailbox(); });
  }
}

std::vector<Mailbox::Item> Mailbox::Take() {
  const MutexLock lock(mutex_);
  return std::exchange(items_, {});
}

void Mailbox::Close() {
  std::vector<Item> dropped;
  {
    const MutexLock lock(mutex_);
    thread_ = nullptr;
    dropped.swap(items_);
  }
}

}  // namespace latchkey::http
