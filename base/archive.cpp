#include "base/archive.hpp"

#include <array>
#include <new>
#include <string>
#include <utility>
#include <xxhash.h>

namespace hyperstep {

std::string_view to_string(ArchiveError::Kind kind) {
    switch (kind) {
        case ArchiveError::Kind::truncated: return "the bytes end within a field";
        case ArchiveError::Kind::too_long: return "a length is greater than its bound";
        case ArchiveError::Kind::bad_value: return "not a value of the field";
        case ArchiveError::Kind::bytes_follow: break;
    }
    return "bytes follow the state";
}

namespace archive_detail {

void VectorSink::put(std::span<const std::uint8_t> input) {
    taken.insert(taken.end(), input.begin(), input.end());
}

struct HashSink::Impl {
    XXH3_state_t* state = XXH3_createState();
    Impl() {
        if (state == nullptr) throw std::bad_alloc{};
        XXH3_64bits_reset(state);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() { XXH3_freeState(state); }
};

HashSink::HashSink() : impl_{std::make_unique<Impl>()} {}
HashSink::~HashSink() = default;
void HashSink::put(std::span<const std::uint8_t> input) {
    XXH3_64bits_update(impl_->state, input.data(), input.size());
}
std::uint64_t HashSink::digest() const {
    return XXH3_64bits_digest(impl_->state);
}

std::span<const std::uint8_t> Source::take(std::size_t count) {
    if (failed_) return {};
    if (count > bytes_.size() - offset_) {
        fail(ArchiveError::Kind::truncated, offset_);
        return {};
    }
    const auto taken = bytes_.subspan(offset_, count);
    offset_ += count;
    return taken;
}

bool Source::fail(ArchiveError::Kind kind, std::size_t offset) {
    if (!failed_) error_ = {kind, offset};
    failed_ = true;
    return false;
}

void Comparison::add(const std::string& path, std::string left, std::string right) {
    if (!full()) found.push_back({path, std::move(left), std::move(right)});
}

std::string in_hex(std::uint64_t word) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    do {
        text.insert(text.begin(), digits[word & 0xf]);
        word >>= 4U;
    } while (word != 0);
    return "0x" + text;
}

std::string element_path(const std::string& path, std::size_t index) {
    return path + "[" + std::to_string(index) + "]";
}

}  // namespace archive_detail
}  // namespace hyperstep
