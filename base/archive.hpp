#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/fields.hpp"

// The state archive: saving, loading, hashing and comparing objects that name their fields (base/fields.hpp).
// The bytes: numbers little-endian in their own width; a boolean or the presence of an optional is one byte,
// 0 or 1; a bounded vector or string is its length as 8 bytes, then its elements. Nothing lies between the
// fields.
namespace hyperstep {

/// Why bytes are not a saved state.
struct ArchiveError {
    enum class Kind : std::uint8_t {
        truncated,    ///< the bytes end within a field
        too_long,     ///< a length is greater than its bound
        bad_value,    ///< not a value of the field's type
        bytes_follow  ///< the state ends before the bytes do
    };
    Kind kind = Kind::truncated;
    std::size_t offset = 0;  ///< of the field that could not be read, in bytes
    friend bool operator==(const ArchiveError&, const ArchiveError&) = default;
};
std::string_view to_string(ArchiveError::Kind kind);

/// One field that two states do not share. Numbers are "0x..."; an absent optional is "none".
struct Difference {
    std::string path;  ///< "timers[2].count"; a length is "timers.size"
    std::string left;
    std::string right;
    friend bool operator==(const Difference&, const Difference&) = default;
};

namespace archive_detail {

/// Takes bytes in order.
class Sink {
public:
    Sink() = default;
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    virtual ~Sink() = default;
    virtual void put(std::span<const std::uint8_t> input) = 0;
};

class VectorSink final : public Sink {
public:
    void put(std::span<const std::uint8_t> input) override;
    std::vector<std::uint8_t> taken;
};

/// xxh3 of the bytes.
class HashSink final : public Sink {
public:
    HashSink();
    HashSink(const HashSink&) = delete;
    HashSink& operator=(const HashSink&) = delete;
    ~HashSink() override;
    void put(std::span<const std::uint8_t> input) override;
    std::uint64_t digest() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Reads from the front of bytes; after the first failure it stays failed.
class Source {
public:
    explicit Source(std::span<const std::uint8_t> bytes) : bytes_{bytes} {}

    /// The next `count` bytes, or nothing and a failure.
    std::span<const std::uint8_t> take(std::size_t count);
    /// Records a failure at the field that begins at `offset`. Always false.
    bool fail(ArchiveError::Kind kind, std::size_t offset);
    std::size_t offset() const { return offset_; }
    bool failed() const { return failed_; }
    bool at_end() const { return offset_ == bytes_.size(); }
    const ArchiveError& error() const { return error_; }

private:
    std::span<const std::uint8_t> bytes_;
    std::size_t offset_ = 0;
    bool failed_ = false;
    ArchiveError error_;
};

template <class T>
inline constexpr bool unsupported = false;

/// Elements whose bytes in memory are their bytes in the archive.
template <class T>
inline constexpr bool is_byte_image = std::is_integral_v<T> && !std::same_as<T, bool> &&
                                      (sizeof(T) == 1 || std::endian::native == std::endian::little);

// ---- saving -----------------------------------------------------------------------------------------------

template <class T>
void write(Sink& sink, const T& value);

template <class Range>
void write_elements(Sink& sink, const Range& range) {
    using Element = typename Range::value_type;
    if constexpr (is_byte_image<Element>) {
        const auto bytes = std::as_bytes(std::span{range.data(), range.size()});
        sink.put({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    } else {
        for (const Element& element : range) write(sink, element);
    }
}

template <IsNumber T>
void write_number(Sink& sink, const T& value) {
    auto word = static_cast<std::uint64_t>(to_word(value));
    std::array<std::uint8_t, sizeof(WordFor<T>)> bytes{};
    for (auto& byte : bytes) {
        byte = static_cast<std::uint8_t>(word);
        word >>= 8U;
    }
    sink.put(bytes);
}

template <class T>
void write(Sink& sink, const T& value) {
    if constexpr (IsNumber<T>) {
        write_number(sink, value);
    } else if constexpr (is_bounded<T>) {
        write_number(sink, static_cast<std::uint64_t>(value.elements.size()));
        write_elements(sink, value.elements);
    } else if constexpr (is_std_array<T>) {
        write_elements(sink, value);
    } else if constexpr (is_optional<T>) {
        write_number(sink, value.has_value());
        if (value) write(sink, *value);
    } else if constexpr (Visitable<T>) {
        for_each_field(fields_of(value), [&](const auto& each) { write(sink, each.value); });
    } else {
        static_assert(unsupported<T>,
                      "no archived form: give it a visit(), or a vector or string its at_most<N>");
    }
}

// ---- loading ----------------------------------------------------------------------------------------------

template <class T>
bool read(Source& source, T& value);

template <IsNumber T>
bool read_number(Source& source, T& value) {
    const std::size_t start = source.offset();
    const auto bytes = source.take(sizeof(WordFor<T>));
    if (source.failed()) return false;
    std::uint64_t word = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) word = word << 8U | bytes[i];
    const std::optional<T> number = from_word<T>(static_cast<WordFor<T>>(word));
    if (!number) return source.fail(ArchiveError::Kind::bad_value, start);
    value = *number;
    return true;
}

/// Grows the container only by what the bytes really hold: a length cannot ask for memory on its own.
template <class T>
bool read_bounded(Source& source, const T& bounded) {
    using Element = typename T::Element;
    const std::size_t start = source.offset();
    std::uint64_t size = 0;
    if (!read_number(source, size)) return false;
    if (size > T::most) return source.fail(ArchiveError::Kind::too_long, start);
    bounded.elements.clear();
    if constexpr (is_byte_image<Element> && sizeof(Element) == 1) {
        const auto bytes = source.take(static_cast<std::size_t>(size));
        bounded.elements.assign(bytes.begin(), bytes.end());
        return !source.failed();
    } else {
        for (std::uint64_t i = 0; i < size; ++i) {
            Element element{};
            if (!read(source, element)) return false;
            bounded.elements.push_back(std::move(element));
        }
        return true;
    }
}

template <class T>
bool read_optional(Source& source, T& value) {
    bool present = false;
    if (!read_number(source, present)) return false;
    value.reset();
    return !present || read(source, value.emplace());
}

template <class T>
bool read(Source& source, T& value) {
    if constexpr (IsNumber<T>) {
        return read_number(source, value);
    } else if constexpr (is_bounded<std::remove_const_t<T>>) {
        return read_bounded(source, value);
    } else if constexpr (is_std_array<T>) {
        for (auto& element : value)
            if (!read(source, element)) return false;
        return true;
    } else if constexpr (is_optional<T>) {
        return read_optional(source, value);
    } else {
        static_assert(Visitable<T>, "no archived form");
        bool good = true;
        for_each_field(fields_of(value), [&](const auto& each) { good = good && read(source, each.value); });
        return good;
    }
}

// ---- comparing --------------------------------------------------------------------------------------------

/// Collects differences, up to a number of them.
class Comparison {
public:
    explicit Comparison(std::size_t most) : most_{most} {}
    bool full() const { return found.size() >= most_; }
    void add(const std::string& path, std::string left, std::string right);
    std::vector<Difference> found;

private:
    std::size_t most_;
};

std::string in_hex(std::uint64_t word);
std::string element_path(const std::string& path, std::size_t index);

template <class T>
void compare(Comparison& to, const std::string& path, const T& a, const T& b);

template <class Range>
void compare_elements(Comparison& to, const std::string& path, const Range& a, const Range& b) {
    const std::size_t shared = a.size() < b.size() ? a.size() : b.size();
    for (std::size_t i = 0; i < shared && !to.full(); ++i) {
        using Element = typename Range::value_type;
        if constexpr (IsNumber<Element>)
            if (to_word(a[i]) == to_word(b[i])) continue;
        compare(to, element_path(path, i), a[i], b[i]);
    }
}

template <class T>
void compare_fields(Comparison& to, const std::string& path, const T& a, const T& b) {
    const auto left = fields_of(a);
    const auto right = fields_of(b);
    const auto one = [&](const auto& l, const auto& r) {
        std::string inner = path.empty() ? std::string{l.name} : path + "." + std::string{l.name};
        compare(to, inner, l.value, r.value);
    };
    [&]<std::size_t... I>(std::index_sequence<I...> /*fields*/) {
        (one(std::get<I>(left.all), std::get<I>(right.all)), ...);
    }
    (std::make_index_sequence<decltype(left)::count>{});
}

template <class T>
void compare(Comparison& to, const std::string& path, const T& a, const T& b) {
    if constexpr (IsNumber<T>) {
        if (to_word(a) != to_word(b)) to.add(path, in_hex(to_word(a)), in_hex(to_word(b)));
    } else if constexpr (is_bounded<T>) {
        if (a.elements.size() != b.elements.size())
            to.add(path + ".size", in_hex(a.elements.size()), in_hex(b.elements.size()));
        compare_elements(to, path, a.elements, b.elements);
    } else if constexpr (is_std_array<T>) {
        compare_elements(to, path, a, b);
    } else if constexpr (is_optional<T>) {
        if (a && b)
            compare(to, path, *a, *b);
        else if (a.has_value() != b.has_value())
            to.add(path, a ? "present" : "none", b ? "present" : "none");
    } else {
        compare_fields(to, path, a, b);
    }
}

}  // namespace archive_detail

/// The bytes of an object.
template <FullyVisitable T>
std::vector<std::uint8_t> save(const T& object) {
    archive_detail::VectorSink sink;
    archive_detail::write(sink, object);
    return std::move(sink.taken);
}

/// The object that `bytes` hold: save() of it gives the same bytes. Any bytes may be given.
template <FullyVisitable T>
tl::expected<T, ArchiveError> load(std::span<const std::uint8_t> bytes) {
    archive_detail::Source source{bytes};
    T object{};
    if (archive_detail::read(source, object) && !source.at_end())
        source.fail(ArchiveError::Kind::bytes_follow, source.offset());
    if (source.failed()) return tl::unexpected{source.error()};
    return object;
}

/// The state hash: xxh3 (64 bits) of the bytes that save() gives. The same on every host.
template <FullyVisitable T>
std::uint64_t state_hash(const T& object) {
    archive_detail::HashSink sink;
    archive_detail::write(sink, object);
    return sink.digest();
}

/// The fields in which two objects differ, in their order; the first `most` of them. Empty: save() of both is
/// the same.
template <FullyVisitable T>
std::vector<Difference> differences(const T& left, const T& right, std::size_t most = 100) {
    archive_detail::Comparison to{most};
    archive_detail::compare(to, {}, left, right);
    return std::move(to.found);
}

}  // namespace hyperstep
