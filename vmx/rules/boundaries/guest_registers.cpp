#include "vmx/rules/boundaries/edges.hpp"

// The processor `all`: 46 physical-address bits, 57 linear-address bits, LAM.
namespace hyperstep::vmx {
namespace {

using enum Slot;
using enum BaseState;

void cr0(std::vector<Boundary>& to) {
    const Edges guest{to, long_mode};
    const Edges legacy{to, protected_32};
    guest.at("guest.cr0.fixed0", {}, guest_cr0, {{0x8005'0013, 0x8005'0033}});
    // NW and CD are not checked, even by a processor that says that they must be 1, or 0.
    guest.at("guest.cr0.fixed0", {assign(cr0_fixed0, 0xe000'0021)}, guest_cr0, {{0x8005'0013, 0x8005'0033}});
    legacy.at("guest.cr0.fixed0", {}, guest_cr0, {{0x33, 0x8000'0033}});
    // Without PE, paging breaks the next rule too.
    to.push_back({"guest.cr0.fixed0",
                  protected_32,
                  {assign(guest_cr0, 0x8000'0032)},
                  {assign(guest_cr0, 0x8000'0033)},
                  {"guest.cr0.pg_needs_pe"}});
    // An unrestricted guest may do without paging and protection; NE stays required.
    legacy.only_with("guest.cr0.fixed0",
                     clear_bits(secondary_controls, 0x80),
                     {turn_on(secondary::unrestricted_guest), assign(guest_cr0, 0x33)});
    const Edges real{to, real_mode};
    real.only_with(
        "guest.cr0.fixed0", clear_bits(secondary_controls, 0x80), {set_bits(secondary_controls, 0x80)});
    real.at("guest.cr0.fixed0", {}, guest_cr0, {{0x10, 0x30}});
    // Its control is not in force without the secondary controls.
    real.only_with("guest.cr0.fixed0",
                   clear_bits(primary_controls, 0x8000'0000),
                   {set_bits(primary_controls, 0x8000'0000)});
    guest.at("guest.cr0.fixed1",
             {},
             guest_cr0,
             {{0x1'8005'0033, 0x8005'0033}, {0x8000'0000'8005'0033, 0x8005'0033}});
    guest.at(
        "guest.cr0.fixed1", {assign(cr0_fixed1, 0x9fff'ffff)}, guest_cr0, {{0x1'e005'0033, 0xe005'0033}});
    // A processor without AM; the host does not use it either.
    guest.at("guest.cr0.fixed1",
             {assign(cr0_fixed1, 0xfffb'ffff), assign(host_cr0, 0x8001'0033)},
             guest_cr0,
             {{0x8005'0033, 0x8001'0033}});
    real.at("guest.cr0.pg_needs_pe", {}, guest_cr0, {{0x8000'0030, 0x8000'0031}, {0x8000'0030, 0x30}});
    guest.at(
        "guest.cr0.pg_ia32e", {turn_on(secondary::unrestricted_guest)}, guest_cr0, {{0x5'0033, 0x8005'0033}});
    guest.at("guest.cr0.pg_ia32e",
             {turn_on(secondary::unrestricted_guest), assign(lam, 0)},
             guest_cr0,
             {{0x5'0033, 0x8005'0033}});
    real.only_with("guest.cr0.pg_ia32e", turn_on(entry::ia32e_mode_guest), {assign(guest_cr4, 0x2020)});
}

void cr4(std::vector<Boundary>& to) {
    const Edges guest{to, long_mode};
    const Edges legacy{to, protected_32};
    guest.at("guest.cr4.fixed0", {}, guest_cr4, {{0x20, 0x2020}});
    guest.at("guest.cr4.fixed0",
             {assign(cr4_fixed0, 0x2010), assign(host_cr4, 0x2030)},
             guest_cr4,
             {{0x2020, 0x2030}, {0x30, 0x2030}});
    guest.at("guest.cr4.fixed1", {}, guest_cr4, {{0xa020, 0x6020}, {0x2'0000'2020, 0x1'0000'2020}});
    guest.at("guest.cr4.fixed1", {assign(cr4_fixed1, 0x1'1bff'6fff)}, guest_cr4, {{0x3020, 0x2020}});
    guest.at(
        "guest.cr4.cet_needs_wp", {assign(guest_cr4, 0x80'2020)}, guest_cr0, {{0x8004'0033, 0x8005'0033}});
    guest.at("guest.cr4.cet_needs_wp", {assign(guest_cr0, 0x8004'0033)}, guest_cr4, {{0x80'2020, 0x2020}});
    guest.at("guest.cr4.pae_ia32e", {}, guest_cr4, {{0x2000, 0x2020}, {0x2040, 0x2060}});
    guest.at("guest.cr4.pae_ia32e", {assign(lam, 0)}, guest_cr4, {{0x2000, 0x2020}});
    legacy.only_with("guest.cr4.pae_ia32e", turn_on(entry::ia32e_mode_guest), {assign(guest_cr4, 0x2000)});
    legacy.at("guest.cr4.pcide_legacy", {}, guest_cr4, {{0x2'2000, 0x1'2000}});
    legacy.only_with("guest.cr4.pcide_legacy",
                     clear_bits(entry_controls, 0x200),
                     {assign(guest_cr4, 0x2'2020), turn_on(entry::ia32e_mode_guest)});
    // CS.L is ignored outside IA-32e mode, but FRED asks for it at CPL 0.
    const Change long_cs = assign(guest_cs_ar, 0xa09b);
    legacy.at("guest.cr4.fred_legacy", {long_cs}, guest_cr4, {{0x1'0000'2000, 0x2000}});
    legacy.only_with("guest.cr4.fred_legacy",
                     clear_bits(entry_controls, 0x200),
                     {long_cs, assign(guest_cr4, 0x1'0000'2020), turn_on(entry::ia32e_mode_guest)});
    const Edges narrow{to, host_32};
    narrow.only_with(
        "guest.cr4.pcide_legacy", assign(intel64, 1), {assign(intel64, 0), assign(guest_cr4, 0x2'2000)});
    narrow.only_with("guest.cr4.fred_legacy",
                     assign(intel64, 1),
                     {assign(intel64, 0), long_cs, assign(guest_cr4, 0x1'0000'2000)});
}

void cr3_and_debug(std::vector<Boundary>& to) {
    const Edges guest{to, long_mode};
    const Edges narrow{to, host_32};
    guest.at("guest.cr3.width",
             {},
             guest_cr3,
             {{0x4000'0000'2000, 0x6000'3fff'ffff'f000},
              {0x0010'0000'0000'2000, 0x2000},
              {0x8000'0000'0000'2000, 0x4000'0000'0000'2000},
              {0x1000'0000'0000'2000, 0x2000'0000'0000'2000}});
    guest.at("guest.cr3.width", {assign(maxphyaddr, 39)}, guest_cr3, {{0x80'0000'0000, 0x40'0000'0000}});
    guest.at("guest.cr3.width",
             {assign(lam, 0)},
             guest_cr3,
             {{0x2000'0000'0000'2000, 0x2000}, {0x4000'0000'0000'2000, 0x3fff'ffff'f000}});
    narrow.only_with("guest.cr3.width",
                     assign(intel64, 1),
                     {assign(intel64, 0), assign(guest_cr3, 0x0100'0000'0000'2000)});
    guest.at("guest.dr7.high",
             {},
             guest_dr7,
             {{0x1'0000'0400, 0x8000'0400}, {0x8000'0000'0000'0400, 0xffff'0400}});
    guest.only_with("guest.dr7.high",
                    turn_on(entry::load_debug_controls),
                    {clear_bits(entry_controls, 0x4), assign(guest_dr7, 0x1'0000'0400)});
    narrow.only_with(
        "guest.dr7.high", assign(intel64, 1), {assign(intel64, 0), assign(guest_dr7, 0x1'0000'0400)});
    // 2 (bus locks), 7 (BTS) and 15 (RTM) are valid; 3 and 5 are not, nor is anything above 15.
    guest.at("guest.debugctl.reserved",
             {},
             guest_debugctl,
             {{0x8, 0x4}, {0x20, 0x40}, {0x1'0000, 0x8000}, {0x8000'0000'0000'0000, 0x4000}});
    guest.only_with("guest.debugctl.reserved",
                    turn_on(entry::load_debug_controls),
                    {clear_bits(entry_controls, 0x4), assign(guest_debugctl, 0x8)});
}

}  // namespace

std::vector<Boundary> guest_register_boundaries() {
    std::vector<Boundary> all;
    cr0(all);
    cr4(all);
    cr3_and_debug(all);
    return all;
}

}  // namespace hyperstep::vmx
