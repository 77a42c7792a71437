#include "vmx/rules/boundaries/edges.hpp"

namespace hyperstep::vmx {
namespace {

using enum Slot;
using enum BaseState;

void mode_before_the_entry(std::vector<Boundary>& to) {
    const Change ia32e = turn_on(entry::ia32e_mode_guest);
    const Change host_64 = turn_on(exit::host_address_space_size);
    // Outside IA-32e mode; host address-space size must be 0, so that a 64-bit guest breaks host32_guest32 as
    // well.
    to.push_back({"host.addr.lma0_ia32e_guest",
                  host_32,
                  {set_bits(guest_cr4, 0x20), ia32e},
                  {set_bits(guest_cr4, 0x20)},
                  {"host.addr.host32_guest32"}});
    // With a 64-bit host it is the host's size that is wrong as well. LME and LMA before the entry.
    to.push_back({"host.addr.lma0_ia32e_guest",
                  long_mode,
                  {assign(cur_efer, 0x801)},
                  {assign(cur_efer, 0xd01)},
                  {"host.addr.lma0_host_size"}});
    to.push_back({"host.addr.lma0_host_size",
                  host_32,
                  {set_bits(host_cr4, 0x20), host_64},
                  {set_bits(host_cr4, 0x20)},
                  {}});
    to.push_back(
        {"host.addr.lma0_host_size", protected_32, {assign(cur_efer, 0x901)}, {assign(cur_efer, 0xd01)}, {}});
    to.push_back({"host.addr.lma1_host_size",
                  protected_32,
                  {assign(host_rip, 0xc11a'ccb0), clear_bits(exit_controls, 0x200)},
                  {assign(host_rip, 0xc11a'ccb0)},
                  {}});
    to.push_back({"host.addr.lma1_host_size",
                  protected_32,
                  {assign(lam, 0), assign(host_rip, 0xc11a'ccb0), clear_bits(exit_controls, 0x200)},
                  {assign(lam, 0), assign(host_rip, 0xc11a'ccb0)},
                  {}});
    to.push_back({"host.addr.lma1_host_size",
                  host_32,
                  {assign(cur_cs_l, 1), assign(cur_efer, 0x500)},
                  {assign(cur_cs_l, 1), assign(cur_efer, 0x100)},
                  {}});
}

void narrow_host(std::vector<Boundary>& to) {
    const Edges narrow{to, host_32};
    // With Intel 64 a rule about IA32_EFER.LMA breaks first; without it host.addr.no_intel64 says the same
    // once more.
    to.push_back({"host.addr.host32_guest32",
                  host_32,
                  {assign(intel64, 0), set_bits(guest_cr4, 0x20), turn_on(entry::ia32e_mode_guest)},
                  {assign(intel64, 0), set_bits(guest_cr4, 0x20)},
                  {"host.addr.no_intel64"}});
    narrow.at("host.addr.host32_pcide", {}, host_cr4, {{0x2'2000, 0x1'2000}});
    narrow.at("host.addr.host32_fred", {}, host_cr4, {{0x1'0000'2000, 0x2000}});
    narrow.at("host.addr.host32_rip",
              {},
              host_rip,
              {{0x1'0000'0000, 0xffff'ffff}, {0x8000'0000'0000'0000, 0x8000'0000}});
    const Change cet = turn_on(exit::load_cet);
    narrow.at("host.addr.host32_s_cet",
              {cet},
              host_s_cet,
              {{0x1'0000'0000, 0x8000'0000}, {0x8000'0000'0000'0000, 0xffff'f000}});
    narrow.only_with("host.addr.host32_s_cet", cet, {assign(host_s_cet, 0x1'0000'0000)});
    narrow.at("host.addr.host32_ssp",
              {cet},
              host_ssp,
              {{0x1'0000'0000, 0x8000'0000}, {0x8000'0000'0000'0000, 0xffff'fffc}});
    narrow.only_with("host.addr.host32_ssp", cet, {assign(host_ssp, 0x1'0000'0000)});
}

void wide_host(std::vector<Boundary>& to) {
    const Edges wide{to, long_mode};
    wide.at("host.addr.host64_pae", {}, host_cr4, {{0x2000, 0x2020}, {0x2040, 0x2060}});
    wide.canonical("host.addr.host64_rip", {}, host_rip);
    wide.canonical("host.addr.host64_rip", {assign(lam, 0)}, host_rip);
    // What a 32-bit host must not have is allowed: PCIDE, FRED, and (above) the full width of RIP, S_CET and
    // SSP.
    wide.at("host.addr.host64_pae", {}, host_cr4, {{0x1'0002'2000, 0x1'0002'2020}});
    wide.at("host.addr.host64_pae", {assign(host_ss_sel, 0)}, host_cr4, {{0x2000, 0x2020}});
}

void without_intel64(std::vector<Boundary>& to) {
    to.push_back({"host.addr.no_intel64", long_mode, {assign(intel64, 0)}, {assign(intel64, 1)}, {}});
    to.push_back({"host.addr.no_intel64",
                  host_32,
                  {assign(intel64, 0), turn_on(exit::host_address_space_size)},
                  {assign(intel64, 0)},
                  {}});
}

}  // namespace

std::vector<Boundary> host_address_space_boundaries() {
    std::vector<Boundary> all;
    mode_before_the_entry(all);
    narrow_host(all);
    wide_host(all);
    without_intel64(all);
    return all;
}

}  // namespace hyperstep::vmx
