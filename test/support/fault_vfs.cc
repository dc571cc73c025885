#include "test/support/fault_vfs.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

namespace latchkey::test {
namespace {

// SQLite allocates szOsFile bytes: this, and behind it the system's file.
struct FaultFile {
  sqlite3_file base;
  FaultVfs* vfs;
  const char* path;  // SQLite keeps it while the file is open
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

FaultFile* Self(sqlite3_file* file) { return reinterpret_cast<FaultFile*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return Self(file)->real(); }
const sqlite3_io_methods& Methods(sqlite3_file* file) { return *Real(file)->pMethods; }

void RememberBefore(sqlite3_file* file, FaultVfs::Unflushed write, std::int64_t span) {
  FaultVfs& vfs = *Self(file)->vfs;
  if (!vfs.remembering() || Self(file)->path == nullptr) return;
  sqlite3_int64 size = 0;
  if (Methods(file).xFileSize(Real(file), &size) != SQLITE_OK) std::abort();
  write.size_before = size;
  write.before.resize(static_cast<std::size_t>(
      std::max<std::int64_t>(0, std::min<std::int64_t>(span, size - write.offset))));
  if (!write.before.empty() &&
      Methods(file).xRead(Real(file), write.before.data(), static_cast<int>(write.before.size()),
                          write.offset) != SQLITE_OK) {
    std::abort();
  }
  vfs.Remember(Self(file)->path, std::move(write));
}

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  Self(file)->vfs->Watch(Self(file)->path);
  switch (Self(file)->vfs->NextWrite()) {
    case FaultVfs::Outcome::kDone:
      RememberBefore(file,
                     {offset,
                      std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size)),
                      {},
                      0,
                      false},
                     size);
      return Methods(file).xWrite(Real(file), bytes, size, offset);
    case FaultVfs::Outcome::kFull:
      static_cast<void>(Methods(file).xWrite(Real(file), bytes, size / 2, offset));
      return SQLITE_FULL;
    case FaultVfs::Outcome::kBroken:
      return SQLITE_IOERR_WRITE;
  }
  std::abort();
}

int Sync(sqlite3_file* file, int flags) {
  if (Self(file)->vfs->NextFlush() != FaultVfs::Outcome::kDone) return SQLITE_IOERR_FSYNC;
  const int code = Methods(file).xSync(Real(file), flags);
  if (code == SQLITE_OK && Self(file)->path != nullptr) Self(file)->vfs->Forget(Self(file)->path);
  return code;
}

int Close(sqlite3_file* file) { return Methods(file).xClose(Real(file)); }
int Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  return Methods(file).xRead(Real(file), bytes, size, offset);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (Self(file)->vfs->IsOff()) return SQLITE_IOERR_TRUNCATE;
  RememberBefore(file, {size, {}, {}, 0, true}, std::numeric_limits<std::int32_t>::max());
  return Methods(file).xTruncate(Real(file), size);
}
int Size(sqlite3_file* file, sqlite3_int64* size) {
  return Methods(file).xFileSize(Real(file), size);
}
int Lock(sqlite3_file* file, int lock) { return Methods(file).xLock(Real(file), lock); }
int Unlock(sqlite3_file* file, int lock) { return Methods(file).xUnlock(Real(file), lock); }
int CheckReservedLock(sqlite3_file* file, int* out) {
  return Methods(file).xCheckReservedLock(Real(file), out);
}
int Control(sqlite3_file* file, int operation, void* argument) {
  return Methods(file).xFileControl(Real(file), operation, argument);
}
int SectorSize(sqlite3_file* file) { return Methods(file).xSectorSize(Real(file)); }
int Characteristics(sqlite3_file* file) { return Methods(file).xDeviceCharacteristics(Real(file)); }
int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  return Methods(file).xShmMap(Real(file), region, size, extend, out);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return Methods(file).xShmLock(Real(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) { Methods(file).xShmBarrier(Real(file)); }
int ShmUnmap(sqlite3_file* file, int remove) { return Methods(file).xShmUnmap(Real(file), remove); }

constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         Size,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         Control,
                                         SectorSize,
                                         Characteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};

}  // namespace

struct FaultVfs::Registration {
  sqlite3_vfs vfs{};
  sqlite3_vfs* system = nullptr;
  FaultVfs* owner = nullptr;

  static Registration& Of(sqlite3_vfs* vfs) { return *static_cast<Registration*>(vfs->pAppData); }
  static int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
    Registration& self = Of(vfs);
    file->pMethods = nullptr;
    Self(file)->vfs = self.owner;
    Self(file)->path = path;
    const int code = self.system->xOpen(self.system, path, Real(file), flags, out);
    if (code == SQLITE_OK) file->pMethods = &kMethods;
    return code;
  }
  static int Delete(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    Registration& self = Of(vfs);
    if (self.owner->IsOff()) return SQLITE_IOERR_DELETE;
    const int code = self.system->xDelete(self.system, path, sync_folder);
    if (code == SQLITE_OK) self.owner->Forget(path);
    return code;
  }
};

FaultVfs::FaultVfs(std::string name)
    : name_(std::move(name)), registration_(std::make_unique<Registration>()) {
  Registration& self = *registration_;
  self.system = sqlite3_vfs_find(nullptr);
  self.owner = this;
  // Whatever concerns no open file is the system's own; those functions look at nothing of their
  // first argument but what is copied here.
  self.vfs = *self.system;
  self.vfs.zName = name_.c_str();
  self.vfs.szOsFile = static_cast<int>(sizeof(FaultFile)) + self.system->szOsFile;
  self.vfs.xOpen = Registration::Open;
  self.vfs.xDelete = Registration::Delete;
  self.vfs.pNext = nullptr;
  self.vfs.pAppData = &self;
  if (sqlite3_vfs_register(&self.vfs, 0) != SQLITE_OK) std::abort();
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&registration_->vfs); }

void FaultVfs::FillUpAfterWrites(std::int64_t writes) { full_from_write_ = writes_ + writes; }
void FaultVfs::BreakAfterWrites(std::int64_t writes) { broken_from_write_ = writes_ + writes; }
void FaultVfs::BreakAfterFlushes(std::int64_t flushes) { broken_from_flush_ = flushes_ + flushes; }

void FaultVfs::Heal() {
  full_from_write_ = kNever;
  broken_from_write_ = kNever;
  broken_from_flush_ = kNever;
  off_from_write_ = kNever;
}

void FaultVfs::PowerOffAfterWrites(std::int64_t writes) { off_from_write_ = writes_ + writes; }

void FaultVfs::Remember(const std::string& path, Unflushed write) {
  MutexLock lock(mutex_);
  unflushed_[path].push_back(std::move(write));
}

void FaultVfs::Forget(const std::string& path) {
  MutexLock lock(mutex_);
  unflushed_.erase(path);
}

void FaultVfs::LoseUnflushed(const std::function<bool()>& keeps) {
  MutexLock lock(mutex_);
  for (auto& [path, writes] : unflushed_) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) std::abort();
    const auto put = [file](const std::string& bytes, std::int64_t offset) {
      const ssize_t put = ::pwrite(file, bytes.data(), bytes.size(), offset);
      if (put != static_cast<ssize_t>(bytes.size())) std::abort();
    };
    for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
      if (!write->before.empty()) put(write->before, write->offset);
      if (::ftruncate(file, write->size_before) != 0) std::abort();
    }
    for (const Unflushed& write : writes) {
      if (!keeps()) continue;
      if (write.truncates) {
        if (::ftruncate(file, write.offset) != 0) std::abort();
      } else {
        put(write.written, write.offset);
      }
    }
    ::close(file);
  }
  unflushed_.clear();
  Heal();
}

FaultVfs::Outcome FaultVfs::NextWrite() {
  const std::int64_t number = writes_++;
  if (number >= full_from_write_) return Outcome::kFull;
  if (number >= off_from_write_) return Outcome::kBroken;
  if (number >= broken_from_write_) return Outcome::kBroken;
  return Outcome::kDone;
}

FaultVfs::Outcome FaultVfs::NextFlush() {
  return flushes_++ >= broken_from_flush_ || IsOff() ? Outcome::kBroken : Outcome::kDone;
}

}  // namespace latchkey::test
