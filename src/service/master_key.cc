#include "service/master_key.h"

#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/encoding.h"
#include "env/data_folder.h"

namespace latchkey::service {
namespace {

constexpr std::string_view kCheckedText = "latchkey master key check 1";
constexpr std::size_t kMaxFileBytes = 4096;

std::string NextPath(const std::string& path) { return path + ".next"; }

// nullopt: no such file.
Result<std::optional<MasterKey>> ReadKeyFile(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0 && errno == ENOENT) return std::optional<MasterKey>();
  if ((info.st_mode & 077) != 0) {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("The master key {} may be read by others than its owner (mode "
                                 "{:04o}): chmod 600 it.",
                                 path, info.st_mode & 07777));
  }
  auto bytes = ReadWholeFile(path, kMaxFileBytes);
  if (!bytes.ok()) return std::move(bytes).error();
  const Secret text(std::move(bytes).value());
  Result<MasterKey> key = ParseMasterKey(text.Reveal());
  if (!key.ok()) {
    return MakeError(key.error().code,
                     fmt::format("The master key {}: {}", path, key.error().public_text));
  }
  return std::optional<MasterKey>(std::move(key).value());
}

MasterKey MakeKey(std::uint32_t id, Entropy& entropy) {
  std::string bytes(kSealKeyBytes, '\0');
  entropy.Fill(std::span(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()));
  return {id, Secret(std::move(bytes))};
}

Status WriteKeyFile(const std::string& path, const MasterKey& key) {
  return WriteFileAtomically(path, FormatMasterKey(key).Reveal(), 0600);
}

// The key state of one token must not open as another's, nor under another key's number.
std::string Associated(const core::Token& token, std::uint32_t key_id) {
  return fmt::format("{}|{}|{}", token.account.ToString(), token.id.ToString(), key_id);
}

Result<Secret> Open(const MasterKey& key, const core::Token& token,
                    const core::TokenProfile& profile) {
  std::optional<Secret> state;
  if (profile.master_key_id == key.id) {
    state = Unseal(key.bytes, Associated(token, key.id), profile.sealed_key_state);
  }
  if (state && state->Reveal().size() == kHmacKeyStateBytes) return *std::move(state);
  return MakeError(ErrorCode::kCorrupt, "A stored secret can't be opened.",
                   fmt::format("the sealed key state of {} (master key {}) does not open with "
                               "master key {}",
                               token.id.ToString(), profile.master_key_id, key.id));
}

std::string_view IdOfCheck(std::string_view check) { return check.substr(0, check.find(':')); }

bool Fits(const std::optional<MasterKey>& key, std::string_view check) {
  return key && ConstantTimeEqual(MasterKeyCheckValue(*key), check);
}

Error WrongKey(const std::string& path, const std::optional<MasterKey>& key,
               std::string_view check) {
  if (!key) {
    return MakeError(ErrorCode::kNotFound,
                     fmt::format("The master key {} is missing, and the database is sealed with "
                                 "one (id {}). Put the file back where it was. Nothing was "
                                 "changed.",
                                 path, IdOfCheck(check)));
  }
  return MakeError(ErrorCode::kConflict,
                   fmt::format("The master key {} (id {}) is not the one that the database is "
                               "sealed with (id {}). Put the right file there. Nothing was "
                               "changed.",
                               path, key->id, IdOfCheck(check)));
}

// The store has no check value yet.
Result<MasterKey> KeyOfANewStore(const std::string& path, std::optional<MasterKey> key,
                                 store::Store& store, Entropy& entropy) {
  const Result<std::int64_t> changes = store.LastFeedSequence();
  if (!changes.ok()) return changes.error();
  if (*changes != 0) {
    return MakeError(ErrorCode::kCorrupt,
                     "The database holds changes but does not say which master key it is sealed "
                     "with. Nothing was changed.");
  }
  // The file first: a check value without its key would lock the store for good, a key without its
  // check value is taken at the next start.
  if (!key) {
    key = MakeKey(1, entropy);
    if (Status status = WriteKeyFile(path, *key); !status.ok()) return std::move(status).error();
  }
  if (Status status = store.SetMasterKeyCheck(MasterKeyCheckValue(*key)); !status.ok()) {
    return std::move(status).error();
  }
  return *std::move(key);
}

}  // namespace

Secret FormatMasterKey(const MasterKey& key) {
  const std::string_view bytes = key.bytes.Reveal();
  return Secret(fmt::format(
      "# Latchkey master key: it seals what the server keeps of secret tokens. Without it the\n"
      "# database and its back-ups can't be used; keep a copy, apart from both.\n"
      "id {}\n"
      "key {}\n",
      key.id,
      HexEncode(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()))));
}

Result<MasterKey> ParseMasterKey(std::string_view text) {
  MasterKey key;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = TrimBlanks(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with("id ") && key.id == 0) {
      const auto id = ParseUint64(TrimBlanks(line.substr(3)));
      if (!id || *id == 0 || *id > UINT32_MAX) {
        return MakeError(ErrorCode::kCorrupt, "its id is not a number from 1.");
      }
      key.id = static_cast<std::uint32_t>(*id);
    } else if (line.starts_with("key ") && key.bytes.empty()) {
      auto bytes = HexDecode(TrimBlanks(line.substr(4)));
      if (!bytes || bytes->size() != kSealKeyBytes) {
        return MakeError(ErrorCode::kCorrupt, "its key is not 64 hex digits.");
      }
      key.bytes = Secret(*std::move(bytes));
    } else {
      return MakeError(ErrorCode::kCorrupt, "a line is neither \"id …\" nor \"key …\".");
    }
  }
  if (key.id == 0 || key.bytes.empty()) {
    return MakeError(ErrorCode::kCorrupt, "it holds no \"id …\" or no \"key …\".");
  }
  return key;
}

std::string MasterKeyCheckValue(const MasterKey& key) {
  return fmt::format("{}:{}", key.id, HexEncode(HmacSha256(key.bytes.Reveal(), kCheckedText)));
}

// What a crash during Rotate may leave:
//   PATH old, check old                  nothing happened
//   PATH old, PATH.next new, check old   before the transaction: the new key was never used
//   PATH old, PATH.next new, check new   after it: the new key takes its place now
//   PATH new, PATH.next new, check new   only the removal of PATH.next is left
// The check value decides.
Result<std::unique_ptr<KeyRing>> KeyRing::Open(std::string path, store::Store& store,
                                               const Clock& clock, Entropy& entropy) {
  Result<std::string> check = store.MasterKeyCheck();
  if (!check.ok()) return std::move(check).error();
  auto current = ReadKeyFile(path);
  auto next = ReadKeyFile(NextPath(path));
  const bool next_fits = !check->empty() && next.ok() && Fits(*next, *check);
  if (!current.ok() && !next_fits) return std::move(current).error();

  MasterKey key;
  if (check->empty()) {
    Result<MasterKey> made = KeyOfANewStore(path, *current, store, entropy);
    if (!made.ok()) return std::move(made).error();
    key = std::move(made).value();
  } else if (current.ok() && Fits(*current, *check)) {
    key = **current;
  } else if (next_fits) {
    key = **next;
    if (Status status = WriteKeyFile(path, key); !status.ok()) return std::move(status).error();
  } else {
    return WrongKey(path, *current, *check);
  }
  // A leftover: it never was the key, or it is in place by now.
  if (!next.ok() || *next) ::unlink(NextPath(path).c_str());
  return std::unique_ptr<KeyRing>(
      new KeyRing(std::move(path), store, clock, entropy, std::move(key)));
}

KeyRing::KeyRing(std::string path, store::Store& store, const Clock& clock, Entropy& entropy,
                 MasterKey key)
    : path_(std::move(path)),
      store_(store),
      clock_(clock),
      entropy_(entropy),
      key_(std::move(key)) {}

KeyRing::Lease::Lease(KeyRing& ring) : ring_(ring) {
  MutexLock lock(ring_.mutex_);
  while (ring_.rotating_) ring_.changed_.Wait(ring_.mutex_);
  ++ring_.leases_;
}

KeyRing::Lease::~Lease() {
  MutexLock lock(ring_.mutex_);
  if (--ring_.leases_ == 0) ring_.changed_.NotifyAll();
}

Status KeyRing::Lease::SealKeyState(const core::Token& token, const Secret& text,
                                    core::TokenProfile& profile) const {
  if (Status status = ring_.CheckUsable(); !status.ok()) return status;
  const MasterKey& key = ring_.key_;
  profile.sealed_key_state = Seal(key.bytes, Associated(token, key.id), MakeHmacKeyState(text));
  profile.master_key_id = key.id;
  return {};
}

Result<Secret> KeyRing::Lease::OpenKeyState(const core::Token& token,
                                            const core::TokenProfile& profile) const {
  return service::Open(ring_.key_, token, profile);
}

std::uint32_t KeyRing::CurrentId() {
  const Lease lease(*this);
  return key_.id;
}

Status KeyRing::CheckUsable() const {
  if (!unsure_) return {};
  return MakeError(ErrorCode::kUnavailable,
                   "It is not known whether the master key was rotated: restart the server.");
}

Result<KeyRing::Rotation> KeyRing::Rotate(core::Actor actor) {
  {
    MutexLock lock(mutex_);
    while (rotating_) changed_.Wait(mutex_);
    rotating_ = true;
    while (leases_ > 0) changed_.Wait(mutex_);
  }
  Result<Rotation> rotation = RotateAlone(std::move(actor));
  MutexLock lock(mutex_);
  rotating_ = false;
  changed_.NotifyAll();
  return rotation;
}

Result<KeyRing::Rotation> KeyRing::RotateAlone(core::Actor actor) {
  if (Status status = CheckUsable(); !status.ok()) return std::move(status).error();
  // PATH.next may hold the only copy of the key in use; it must not be written over.
  if (out_of_place_) {
    if (Status status = TakePlace(); !status.ok()) return std::move(status).error();
  }
  MasterKey fresh = MakeKey(key_.id + 1, entropy_);
  if (Status status = WriteKeyFile(NextPath(path_), fresh); !status.ok()) {
    return std::move(status).error();
  }
  Rotation rotation{key_.id, fresh.id, 0};
  const auto reseal = [&](const core::Token& token,
                          const core::TokenProfile& profile) -> Result<std::string> {
    Result<Secret> state = service::Open(key_, token, profile);
    if (!state.ok()) return std::move(state).error();
    ++rotation.resealed;
    return Seal(fresh.bytes, Associated(token, fresh.id), *state);
  };
  core::AuditEvent event;
  event.at = clock_.Now();
  event.actor = std::move(actor);
  event.action = "master_key.rotate";
  event.subject = "master_key";
  event.before = fmt::format("{{\"id\":{}}}", rotation.old_id);
  event.after = fmt::format("{{\"id\":{}}}", rotation.new_id);
  Status status =
      store_.ResealKeyStates(reseal, fresh.id, MasterKeyCheckValue(fresh), std::move(event));
  if (!status.ok()) {
    if (status.error().code == ErrorCode::kUnknown) {
      unsure_ = true;  // both files stay: the next Open asks the store
    } else {
      ::unlink(NextPath(path_).c_str());
    }
    return std::move(status).error();
  }
  key_ = std::move(fresh);
  out_of_place_ = true;
  if (status = TakePlace(); !status.ok()) {
    return MakeError(ErrorCode::kUnavailable,
                     fmt::format("The master key was rotated, but the new one could not take the "
                                 "old one's place in {}: it is in {}, and the next start moves "
                                 "it.",
                                 path_, NextPath(path_)),
                     status.error().internal_text);
  }
  return rotation;
}

Status KeyRing::TakePlace() {
  if (Status status = WriteKeyFile(path_, key_); !status.ok()) return status;
  out_of_place_ = false;
  ::unlink(NextPath(path_).c_str());
  return {};
}

}  // namespace latchkey::service
