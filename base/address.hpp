#pragma once
#include <compare>
#include <cstdint>

namespace hyperstep {

/// Page sizes as the number of address bits within the page.
enum class PageSize : std::uint8_t { size_4k = 12, size_2m = 21, size_1g = 30 };
constexpr std::uint64_t bytes_in(PageSize size) {
    return 1ULL << static_cast<unsigned>(size);
}

/// A byte address in one space. Two spaces never mix: no conversion, no comparison, no difference between
/// them. A translation is the only way from one to another: it takes `raw()` apart and names its result.
template <class Space>
class Address {
public:
    constexpr Address() = default;
    explicit constexpr Address(std::uint64_t raw) : raw_{raw} {}

    constexpr std::uint64_t raw() const { return raw_; }
    /// The first byte of the page.
    constexpr Address page_start(PageSize size = PageSize::size_4k) const {
        return Address{raw_ & ~(bytes_in(size) - 1)};
    }
    /// Bytes from the page's start.
    constexpr std::uint64_t page_offset(PageSize size = PageSize::size_4k) const {
        return raw_ & (bytes_in(size) - 1);
    }
    /// Pages of this size before the one that holds the address.
    constexpr std::uint64_t page_number(PageSize size = PageSize::size_4k) const {
        return raw_ >> static_cast<unsigned>(size);
    }
    constexpr bool is_page_aligned(PageSize size = PageSize::size_4k) const { return page_offset(size) == 0; }

    /// Moving by bytes wraps at 2^64, as address arithmetic of a processor does.
    friend constexpr Address operator+(Address a, std::uint64_t bytes) { return Address{a.raw_ + bytes}; }
    friend constexpr Address operator-(Address a, std::uint64_t bytes) { return Address{a.raw_ - bytes}; }
    /// Bytes from `b` up to `a`, modulo 2^64.
    friend constexpr std::uint64_t operator-(Address a, Address b) { return a.raw_ - b.raw_; }
    constexpr Address& operator+=(std::uint64_t bytes) { return *this = *this + bytes; }
    // NOLINTNEXTLINE(modernize-use-nullptr): a false finding on every defaulted comparison
    friend constexpr auto operator<=>(const Address&, const Address&) = default;

private:
    std::uint64_t raw_ = 0;
};

/// The number of pages that an access touches: 0 for no bytes. `bytes` must not exceed 2^63.
template <class Space>
constexpr std::uint64_t pages_touched(Address<Space> first,
                                      std::uint64_t bytes,
                                      PageSize size = PageSize::size_4k) {
    if (bytes == 0) return 0;
    return ((first.page_offset(size) + bytes - 1) >> static_cast<unsigned>(size)) + 1;
}

/// What a guest's instructions name (Arm: VA).
using Gva = Address<struct GvaSpace>;
/// What a guest believes is memory (Arm: IPA).
using Gpa = Address<struct GpaSpace>;
/// What our memory is indexed by (Arm: PA).
using Hpa = Address<struct HpaSpace>;

}  // namespace hyperstep
