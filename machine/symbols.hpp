#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "machine/image_problem.hpp"

namespace hyperstep::machine {

/// Names of addresses of a guest.
class Symbols {
public:
    /// From an ELF file's symbol table, or from lines "ffffffff81000000 T name" as in System.map. A problem:
    /// neither, or a broken ELF file.
    static ImageExpected<Symbols> read(std::span<const std::byte> file);

    /// "name" or "name+0x12"; nothing if no symbol is at or before the address, or the nearest one ends
    /// before it.
    std::optional<std::string> name_of(std::uint64_t address) const;
    /// Where the symbol begins that name_of() names.
    std::optional<std::uint64_t> start_of(std::uint64_t address) const;
    std::size_t size() const { return symbols_.size(); }

private:
    struct Symbol {
        std::uint64_t address = 0;
        std::uint64_t bytes = 0;  ///< 0: up to the next one
        std::string name;
    };
    const Symbol* find(std::uint64_t address) const;
    void sort();

    std::vector<Symbol> symbols_;  ///< in order of address
};

}  // namespace hyperstep::machine
