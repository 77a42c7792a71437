#pragma once
#include <algorithm>
#include <array>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/aggregate_arity.hpp"
#include "base/bits.hpp"

// How a state struct names its fields, once:
//
//     struct Timer {
//         std::uint32_t count = 0;
//         std::vector<std::uint8_t> log;
//         auto visit(auto& archive) { return archive(field("count", count), field("log", at_most<64>(log)));
//         }
//     };
//
// Saving, loading, hashing and comparing (base/archive.hpp) all follow from it. A field that it leaves out
// does not compile.
namespace hyperstep {

/// A named member.
template <class T>
struct Field {
    std::string_view name;
    T& value;
};
template <class T>
Field<T> field(std::string_view name, T& value) {
    return {name, value};
}

/// A vector or string with the greatest length that it can have: no saved state makes it longer.
template <class Container, std::size_t Most>
struct AtMost {
    using Element = typename Container::value_type;
    static constexpr std::size_t most = Most;
    Container& elements;
};
template <std::size_t Most, class Container>
AtMost<Container, Most> at_most(Container& elements) {
    return {elements};
}
/// Held by value: it is itself a reference to the container.
template <class Container, std::size_t Most>
struct Field<AtMost<Container, Most>> {
    std::string_view name;
    AtMost<Container, Most> value;
};
template <class Container, std::size_t Most>
Field<AtMost<Container, Most>> field(std::string_view name, AtMost<Container, Most> value) {
    return {name, value};
}

/// What visit() returns: all fields of one object.
template <class... T>
struct Fields {
    static constexpr std::size_t count = sizeof...(T);
    std::tuple<Field<T>...> all;
};

/// What visit() is given.
struct FieldCollector {
    constexpr FieldCollector() = default;
    template <class... T>
    Fields<T...> operator()(Field<T>... fields) const {
        return {{fields...}};
    }
};

/// Has a visit().
template <class T>
concept Visitable = requires(T& object, const FieldCollector& archive) {
    object.visit(archive);
};

/// Has a visit() that names every field: as many as the aggregate has.
template <class T>
concept FullyVisitable =
    Visitable<T> && std::is_aggregate_v<T> && std::default_initializable<T> &&
    decltype(std::declval<T&>().visit(std::declval<const FieldCollector&>()))::count == aggregate_arity<T>;

/// Calls `f(Field)` for each field in order.
template <class... T, class F>
void for_each_field(const Fields<T...>& fields, F&& f) {
    std::apply([&](const auto&... each) { (f(each), ...); }, fields.all);
}

/// No member is named twice: with the count of FullyVisitable, each is named.
template <class... T>
bool all_distinct(const Fields<T...>& fields) {
    std::array<const void*, sizeof...(T)> members{};
    std::size_t next = 0;
    for_each_field(fields, [&](const auto& each) {
        if constexpr (requires { each.value.elements; })
            members[next++] = &each.value.elements;
        else
            members[next++] = &each.value;
    });
    std::sort(members.begin(), members.end());
    return std::adjacent_find(members.begin(), members.end()) == members.end();
}

/// The fields of an object.
template <Visitable T>
auto fields_of(T& object) {
    static_assert(FullyVisitable<T>, "visit() must name every field of the aggregate, and each one once");
    const FieldCollector archive;
    const auto fields = object.visit(archive);
    assert(all_distinct(fields));
    return fields;
}
/// visit() is not const because loading writes through it; whoever takes a const object only reads.
template <Visitable T>
auto fields_of(const T& object) {
    return fields_of(const_cast<T&>(object));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

// ---- kinds of fields --------------------------------------------------------------------------------------

template <class T>
concept IsRegister = std::derived_from<T, Register<T>>;

template <class T>
inline constexpr bool is_address = false;
template <class Space>
inline constexpr bool is_address<Address<Space>> = true;

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_bounded = false;
template <class Container, std::size_t Most>
inline constexpr bool is_bounded<AtMost<Container, Most>> = true;

/// One number: an integer, a boolean, an enumerator, a register or an address.
template <class T>
concept IsNumber = std::is_integral_v<T> || std::is_enum_v<T> || IsRegister<T> || is_address<T>;

/// An unsigned integer as wide as the number.
template <IsNumber T>
constexpr auto to_word(const T& number) {
    if constexpr (IsRegister<T>)
        return number.raw;
    else if constexpr (is_address<T>)
        return number.raw();
    else if constexpr (std::is_enum_v<T>)
        return static_cast<std::make_unsigned_t<std::underlying_type_t<T>>>(number);
    else if constexpr (std::same_as<T, bool>)
        return static_cast<std::uint8_t>(number);
    else
        return static_cast<std::make_unsigned_t<T>>(number);
}
template <IsNumber T>
using WordFor = decltype(to_word(std::declval<const T&>()));

/// The number that a word stands for; nothing if there is none: a boolean is 0 or 1, and an enumeration that
/// ends with an enumerator `count` has only values below it.
template <IsNumber T>
constexpr std::optional<T> from_word(WordFor<T> word) {
    if constexpr (std::same_as<T, bool>) {
        if (word > 1) return std::nullopt;
        return word == 1;
    } else if constexpr (IsRegister<T>) {
        T result{};
        result.raw = word;
        return result;
    } else if constexpr (is_address<T>) {
        return T{word};
    } else {
        if constexpr (requires { T::count; })
            if (word >= to_word(T::count)) return std::nullopt;
        return static_cast<T>(word);
    }
}

}  // namespace hyperstep
