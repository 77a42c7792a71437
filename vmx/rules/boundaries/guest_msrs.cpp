#include "vmx/rules/boundaries/edges.hpp"

namespace hyperstep::vmx {
namespace {

using enum Slot;
using enum BaseState;

/// An address that is not canonical at either width.
constexpr std::uint64_t not_canonical = 0x0100'0000'0000'0000;

void sysenter_and_pat(std::vector<Boundary>& to) {
    const Edges guest{to, long_mode};
    const Edges narrow{to, host_32};
    guest.canonical("guest.sysenter_esp.canonical", {}, guest_sysenter_esp);
    guest.canonical("guest.sysenter_eip.canonical", {}, guest_sysenter_eip);
    narrow.only_with("guest.sysenter_esp.canonical",
                     assign(intel64, 1),
                     {assign(intel64, 0), assign(guest_sysenter_esp, not_canonical)});
    narrow.only_with("guest.sysenter_eip.canonical",
                     assign(intel64, 1),
                     {assign(intel64, 0), assign(guest_sysenter_eip, not_canonical)});
    // Eight programmable counters, four fixed ones, and performance metrics (48).
    const Change perf = turn_on(entry::load_perf_global_ctrl);
    guest.at("guest.perf_global_ctrl.reserved",
             {perf},
             guest_perf_global_ctrl,
             {{0x100, 0x80}, {0x10'0000'0000, 0x8'0000'0000}, {0x2'0000'0000'0000, 0x1'0000'0000'0000}});
    guest.only_with("guest.perf_global_ctrl.reserved", perf, {assign(guest_perf_global_ctrl, 0x100)});
    const Change pat = turn_on(entry::load_pat);
    guest.at("guest.pat.types",
             {pat},
             guest_pat,
             {{0x0007'0406'0007'0402, 0x0007'0406'0007'0401},
              {0x0007'0406'0007'0403, 0x0007'0406'0007'0404},
              {0x0007'0406'0007'0408, 0x0007'0406'0007'0407},
              {0x0007'0406'0007'0205, 0x0007'0406'0007'0105},
              {0x0007'0406'0302'0405, 0x0007'0406'0401'0405},
              {0x0007'0486'0007'0405, 0x0007'0406'0007'0405},
              {0x0006'0510'0007'0405, 0x0006'0500'0007'0405},
              {0x0207'0406'0007'0405, 0x0107'0406'0007'0405}});
    guest.only_with("guest.pat.types", pat, {assign(guest_pat, 0x2)});
    const Change pkrs = turn_on(entry::load_pkrs);
    guest.at("guest.pkrs.high",
             {pkrs},
             guest_pkrs,
             {{0x1'0000'0000, 0x8000'0000}, {0x8000'0000'0000'0000, 0xffff'ffff}});
    guest.only_with("guest.pkrs.high", pkrs, {assign(guest_pkrs, 0x1'0000'0000)});
    const Change uinv = turn_on(entry::load_uinv);
    guest.at("guest.uinv.high", {uinv}, guest_uinv, {{0x100, 0xff}, {0x8000, 0x80}});
    guest.only_with("guest.uinv.high", uinv, {assign(guest_uinv, 0x100)});
}

void efer(std::vector<Boundary>& to) {
    const Edges wide{to, long_mode};
    const Edges legacy{to, protected_32};
    const Edges real{to, real_mode};
    const Change load = turn_on(entry::load_efer);
    wide.at("guest.efer.reserved",
            {load},
            guest_efer,
            {{0xd03, 0xd01}, {0xf01, 0xd01}, {0x1d01, 0x501}, {0x8000'0000'0000'0d01, 0xd00}});
    wide.only_with("guest.efer.reserved", load, {assign(guest_efer, 0xd03)});
    // LME goes with LMA, lest the other rule break too; without paging it need not.
    wide.at("guest.efer.lma", {load}, guest_efer, {{0x801, 0xd01}});
    wide.only_with("guest.efer.lma", load, {assign(guest_efer, 0x801)});
    legacy.at("guest.efer.lma", {load}, guest_efer, {{0x500, 0}});
    real.at("guest.efer.lma", {load}, guest_efer, {{0x500, 0x100}, {0x400, 0}});
    wide.at("guest.efer.lme", {load}, guest_efer, {{0xc01, 0xd01}});
    wide.only_with("guest.efer.lme", load, {assign(guest_efer, 0xc01)});
    legacy.at("guest.efer.lme", {load}, guest_efer, {{0x100, 0}});
    real.only_with("guest.efer.lme", set_bits(guest_cr0, 0x8000'0001), {load, assign(guest_efer, 0x100)});
}

void bounds_and_tracing(std::vector<Boundary>& to) {
    const Edges guest{to, long_mode};
    const Change bounds = turn_on(entry::load_bndcfgs);
    guest.at("guest.bndcfgs.reserved", {bounds}, guest_bndcfgs, {{0x4, 0x2}, {0x800, 0x1000}, {0x404, 0x3}});
    guest.only_with("guest.bndcfgs.reserved", bounds, {assign(guest_bndcfgs, 0x4)});
    guest.canonical("guest.bndcfgs.canonical", {bounds}, guest_bndcfgs);
    guest.only_with("guest.bndcfgs.canonical", bounds, {assign(guest_bndcfgs, not_canonical)});
    const Change trace = turn_on(entry::load_rtit_ctl);
    guest.at("guest.rtit_ctl.reserved",
             {trace},
             guest_rtit_ctl,
             {{0x4'0000, 0x2'0000},
              {0x1'0000'0000'0000, 0x1000'0000'0000},
              {0x0100'0000'0000'0000, 0x0080'0000'0000'0000},
              {0x3'0000'0000, 0x2'0000'0000},
              {0x30'0000'0000, 0x20'0000'0000},
              {0x300'0000'0000, 0x200'0000'0000},
              {0x3000'0000'0000, 0x2000'0000'0000},
              {0x4'0000'0000, 0x1'0000'0000},
              {0x8000'0000'0000, 0x2222'0000'0000}});
    guest.only_with("guest.rtit_ctl.reserved", trace, {assign(guest_rtit_ctl, 0x4'0000)});
    // A processor with one address range: the others' ADDRn_CFG are reserved.
    guest.at("guest.rtit_ctl.reserved",
             {trace, assign(rtit_ctl_valid, 0xf'0f7b'efff)},
             guest_rtit_ctl,
             {{0x10'0000'0000, 0x1'0000'0000}});
    const Change branches = turn_on(entry::load_lbr_ctl);
    guest.at("guest.lbr_ctl.reserved",
             {branches},
             guest_lbr_ctl,
             {{0x10, 0x8}, {0x8000, 0x1'0000}, {0x80'0000, 0x40'0000}, {0x8000'0000'0000'0000, 0x1}});
    guest.only_with("guest.lbr_ctl.reserved", branches, {assign(guest_lbr_ctl, 0x10)});
    const Change speculation = turn_on(entry::load_spec_ctrl);
    guest.at("guest.spec_ctrl.reserved", {speculation}, guest_spec_ctrl, {{0x200, 0x100}, {0x800, 0x400}});
    guest.only_with("guest.spec_ctrl.reserved", speculation, {assign(guest_spec_ctrl, 0x200)});
}

void cet(std::vector<Boundary>& to) {
    const Edges guest{to, long_mode};
    const Edges legacy{to, protected_32};
    const Edges narrow{to, host_32};
    const Change load = turn_on(entry::load_cet);
    guest.at("guest.s_cet.reserved",
             {load},
             guest_s_cet,
             {{0x40, 0x20}, {0x80, 0x20}, {0x100, 0x400}, {0x200, 0x400}});
    guest.only_with("guest.s_cet.reserved", load, {assign(guest_s_cet, 0x40)});
    guest.at("guest.s_cet.suppress_tracker",
             {load},
             guest_s_cet,
             {{0xc00, 0x400}, {0xc3f, 0x83f}, {0xc00, 0x1400}});
    guest.only_with("guest.s_cet.suppress_tracker", load, {assign(guest_s_cet, 0xc00)});
    guest.canonical("guest.s_cet.canonical", {load}, guest_s_cet);
    guest.only_with("guest.s_cet.canonical", load, {assign(guest_s_cet, not_canonical)});
    narrow.only_with("guest.s_cet.canonical",
                     assign(intel64, 1),
                     {load, assign(intel64, 0), assign(guest_s_cet, not_canonical)});
    // The option: outside IA-32e mode bits 63:32 must be 0.
    const Change strict = assign(opt_guest_s_cet, 1);
    legacy.at("guest.s_cet.canonical",
              {load, strict},
              guest_s_cet,
              {{0x1'0000'0000, 0x8000'0000}, {0xffff'ffff'ffff'f000, 0xffff'f000}});
    legacy.only_with("guest.s_cet.canonical",
                     strict,
                     {load, assign(opt_guest_s_cet, 0), assign(guest_s_cet, 0x1'0000'0000)});
    legacy.only_with("guest.s_cet.canonical",
                     clear_bits(entry_controls, 0x200),
                     {load,
                      strict,
                      assign(guest_s_cet, 0x1'0000'0000),
                      assign(guest_cr4, 0x2020),
                      turn_on(entry::ia32e_mode_guest)});
    guest.canonical("guest.intr_ssp_table.canonical", {load}, guest_intr_ssp_table);
    guest.only_with("guest.intr_ssp_table.canonical", load, {assign(guest_intr_ssp_table, not_canonical)});
    narrow.only_with("guest.intr_ssp_table.canonical",
                     assign(intel64, 1),
                     {load, assign(intel64, 0), assign(guest_intr_ssp_table, not_canonical)});
}

void fred_state(std::vector<Boundary>& to) {
    const Edges guest{to, long_mode};
    const Change load = turn_on(entry::load_fred);
    guest.at("guest.fred.config.reserved",
             {load},
             guest_fred_config,
             {{0x4, 0x8}, {0x10, 0x8}, {0x20, 0x40}, {0x800, 0x400}, {0x804, 0x1000}});
    guest.only_with("guest.fred.config.reserved", load, {assign(guest_fred_config, 0x4)});
    guest.canonical("guest.fred.config.canonical", {load}, guest_fred_config);
    guest.only_with("guest.fred.config.canonical", load, {assign(guest_fred_config, not_canonical)});
    struct Stack {
        std::string_view rsp_id, ssp_id;
        Slot rsp, ssp;
    };
    for (const Stack& s : {Stack{"guest.fred.rsp1", "guest.fred.ssp1", guest_fred_rsp1, guest_fred_ssp1},
                           Stack{"guest.fred.rsp2", "guest.fred.ssp2", guest_fred_rsp2, guest_fred_ssp2},
                           Stack{"guest.fred.rsp3", "guest.fred.ssp3", guest_fred_rsp3, guest_fred_ssp3}}) {
        guest.at(s.rsp_id, {load}, s.rsp, {{0x8001, 0x8000}, {0x8020, 0x8040}});
        guest.canonical(s.rsp_id, {load}, s.rsp);
        guest.only_with(s.rsp_id, load, {assign(s.rsp, 0x8020)});
        guest.at(s.ssp_id, {load}, s.ssp, {{0x8001, 0x8000}, {0x8004, 0x8008}});
        guest.canonical(s.ssp_id, {load}, s.ssp);
        guest.only_with(s.ssp_id, load, {assign(s.ssp, 0x8004)});
    }
}

}  // namespace

std::vector<Boundary> guest_msr_boundaries() {
    std::vector<Boundary> all;
    sysenter_and_pat(all);
    efer(all);
    bounds_and_tracing(all);
    cet(all);
    fred_state(all);
    return all;
}

}  // namespace hyperstep::vmx
