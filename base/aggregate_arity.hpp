#pragma once
#include <concepts>
#include <cstddef>
#include <cstdlib>
#include <type_traits>
#include <utility>

namespace hyperstep {

namespace aggregate_arity_detail {

/// Stands for a member of any type, but not for the aggregate itself: that would be a copy. Never evaluated.
template <class Aggregate>
struct AnyMember {
    // NOLINTBEGIN(google-explicit-constructor): the conversion is its purpose
    template <class Member>
    requires(!std::same_as<std::remove_cvref_t<Member>, Aggregate>) operator Member() const { std::abort(); }
    // NOLINTEND(google-explicit-constructor)
};

template <class T, std::size_t>
using MemberOf = AnyMember<T>;

template <class T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...> /*members*/) {
    return requires {
        T{MemberOf<T, I>{}...};
    };
}

template <class T, std::size_t N = 0>
constexpr std::size_t count() {
    if constexpr (takes<T>(std::make_index_sequence<N + 1>{}))
        return count<T, N + 1>();
    else
        return N;
}

}  // namespace aggregate_arity_detail

/// The number of members (and bases) of an aggregate whose members all have a default. A member that is a C
/// array counts once for each element: use std::array.
template <class T>
requires std::is_aggregate_v<T>
inline constexpr std::size_t aggregate_arity = aggregate_arity_detail::count<T>();

}  // namespace hyperstep
