#include "base/crypto.h"

#include <cassert>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <openssl/evp.h>
#include <sodium.h>

namespace latchkey {
namespace {

static_assert(sizeof(crypto_auth_hmacsha256_state) == kHmacKeyStateBytes);
static_assert(sizeof(crypto_hash_sha256_state) <= 128);
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == kSealKeyBytes);

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// EVP_sha256() per call costs four times a fetched algorithm: fetched once, a context per thread.
struct DigestContext {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  DigestContext() = default;
  DigestContext(const DigestContext&) = delete;
  DigestContext& operator=(const DigestContext&) = delete;
  ~DigestContext() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
  }
};

std::array<std::uint32_t, 256> MakeCrcTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0xEDB88320U : value >> 1;
    table[i] = value;
  }
  return table;
}

}  // namespace

void CryptoInit() {
  if (sodium_init() < 0) std::abort();
}

Digest Sha256(std::string_view bytes) {
  thread_local DigestContext digest;
  Digest out;
  if (EVP_DigestInit_ex2(digest.context, digest.algorithm, nullptr) != 1 ||
      EVP_DigestUpdate(digest.context, bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(digest.context, out.data(), nullptr) != 1) {
    std::abort();
  }
  return out;
}

Digest HmacSha256(std::string_view key, std::string_view bytes) {
  Digest out;
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, Bytes(key), key.size());
  crypto_auth_hmacsha256_update(&state, Bytes(bytes), bytes.size());
  crypto_auth_hmacsha256_final(&state, out.data());
  return out;
}

Sha256Stream::Sha256Stream() {
  crypto_hash_sha256_init(reinterpret_cast<crypto_hash_sha256_state*>(state_.data()));
}

void Sha256Stream::Update(std::string_view bytes) {
  crypto_hash_sha256_update(reinterpret_cast<crypto_hash_sha256_state*>(state_.data()),
                            Bytes(bytes), bytes.size());
}

Digest Sha256Stream::Finish() {
  Digest out;
  crypto_hash_sha256_final(reinterpret_cast<crypto_hash_sha256_state*>(state_.data()), out.data());
  return out;
}

std::uint32_t Crc32(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = MakeCrcTable();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ crc >> 8;
  return ~crc;
}

void RandomBytes(std::span<std::uint8_t> out) { randombytes_buf(out.data(), out.size()); }

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

Secret MakeHmacKeyState(const Secret& key) {
  crypto_auth_hmacsha256_state state;
  // Zeroed, so that bytes the library leaves alone don't carry what was on the stack.
  std::memset(&state, 0, sizeof(state));
  crypto_auth_hmacsha256_init(&state, Bytes(key.Reveal()), key.Reveal().size());
  Secret out(std::string(reinterpret_cast<const char*>(&state), sizeof(state)));
  sodium_memzero(&state, sizeof(state));
  return out;
}

Digest HmacSha256WithState(const Secret& key_state, std::string_view bytes) {
  assert(key_state.Reveal().size() == kHmacKeyStateBytes);
  crypto_auth_hmacsha256_state state;
  std::memcpy(&state, key_state.Reveal().data(), sizeof(state));
  Digest out;
  crypto_auth_hmacsha256_update(&state, Bytes(bytes), bytes.size());
  crypto_auth_hmacsha256_final(&state, out.data());
  sodium_memzero(&state, sizeof(state));
  return out;
}

std::string Seal(const Secret& key, std::string_view associated, const Secret& plain) {
  assert(key.Reveal().size() == kSealKeyBytes);
  constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  const std::string_view text = plain.Reveal();
  std::string out(kNonce + text.size() + crypto_aead_xchacha20poly1305_ietf_ABYTES, '\0');
  auto* bytes = reinterpret_cast<unsigned char*>(out.data());
  randombytes_buf(bytes, kNonce);
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + kNonce, nullptr, Bytes(text), text.size(),
                                             Bytes(associated), associated.size(), nullptr, bytes,
                                             Bytes(key.Reveal()));
  return out;
}

std::optional<Secret> Unseal(const Secret& key, std::string_view associated,
                             std::string_view sealed) {
  constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
  if (key.Reveal().size() != kSealKeyBytes || sealed.size() < kNonce + kTag) return std::nullopt;
  std::string plain(sealed.size() - kNonce - kTag, '\0');
  const std::string_view box = sealed.substr(kNonce);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr, Bytes(box), box.size(),
          Bytes(associated), associated.size(), Bytes(sealed), Bytes(key.Reveal())) != 0) {
    return std::nullopt;
  }
  Secret out(plain);
  sodium_memzero(plain.data(), plain.size());
  return out;
}

}  // namespace latchkey
