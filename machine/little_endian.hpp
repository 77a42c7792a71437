#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

// Little-endian numbers in bytes of files and tables.
namespace hyperstep::machine {

/// The number at `offset`; nothing if the bytes end before it does.
template <std::unsigned_integral T>
std::optional<T> number_at(std::span<const std::byte> bytes, std::uint64_t offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;)
        value = value << 8 | std::to_integer<std::uint64_t>(bytes[static_cast<std::size_t>(offset) + i]);
    return static_cast<T>(value);
}

/// Bytes that grow at their end.
class ByteWriter {
public:
    ByteWriter& number(std::uint64_t value, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i) all_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
        return *this;
    }
    ByteWriter& u8(std::uint64_t value) { return number(value, 1); }
    ByteWriter& u16(std::uint64_t value) { return number(value, 2); }
    ByteWriter& u32(std::uint64_t value) { return number(value, 4); }
    ByteWriter& u64(std::uint64_t value) { return number(value, 8); }
    ByteWriter& zeros(std::size_t count) {
        all_.insert(all_.end(), count, 0);
        return *this;
    }
    /// The characters of `text`, then zeros up to `bytes`.
    ByteWriter& text(std::string_view text, std::size_t bytes) {
        for (std::size_t i = 0; i < bytes; ++i)
            all_.push_back(i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0});
        return *this;
    }
    ByteWriter& append(std::span<const std::uint8_t> bytes) {
        all_.insert(all_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    void set_u32(std::size_t offset, std::uint32_t value) {
        for (unsigned i = 0; i < 4; ++i) all_[offset + i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
    std::size_t size() const { return all_.size(); }
    std::vector<std::uint8_t>& bytes() { return all_; }
    const std::vector<std::uint8_t>& bytes() const { return all_; }

private:
    std::vector<std::uint8_t> all_;
};

}  // namespace hyperstep::machine
