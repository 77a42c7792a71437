# Guest programs: freestanding multiboot 1 images, built by g++ whatever compiles the rest, and without the flags of the
# preset, so that the same sources give the same images in every preset. They are in <build>/guests/.
find_program(HYPERSTEP_GUEST_CXX NAMES g++ REQUIRED)
find_program(HYPERSTEP_OBJCOPY objcopy REQUIRED)

set(HS_GUEST_RUNTIME ${PROJECT_SOURCE_DIR}/tests/guests/runtime)
set(HS_GUEST_FOLDER ${CMAKE_BINARY_DIR}/guests)
set(HS_GUEST_FLAGS -std=c++20 -O2 -ffreestanding -fno-exceptions -fno-rtti -fno-stack-protector -fno-pic -fno-pie
                   -fno-asynchronous-unwind-tables -fcf-protection=none -fno-threadsafe-statics -mno-red-zone
                   -fno-tree-loop-distribute-patterns -Wall -Wextra -Wshadow -I${PROJECT_SOURCE_DIR})
# Part of a whole build only where the tests, which run them, are.
if(BUILD_TESTING)
  add_custom_target(guests ALL)
else()
  add_custom_target(guests)
endif()

# hs_guest_object(<variable> <bits> <source> <flags>...): compiles one source; the object's path is in <variable>.
function(hs_guest_object variable bits source)
  file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${source})
  string(MD5 kind "${ARGN}")
  string(SUBSTRING ${kind} 0 6 kind)
  string(REPLACE "/" "_" name ${name})
  set(object ${HS_GUEST_FOLDER}/objects/${name}.${bits}.${kind}.o)
  set(mode -m${bits})
  if(bits EQUAL 64)
    list(APPEND mode -DGUEST64)
  endif()
  get_property(known GLOBAL PROPERTY HS_GUEST_OBJECTS)
  if(NOT object IN_LIST known)
    set_property(GLOBAL APPEND PROPERTY HS_GUEST_OBJECTS ${object})
    file(MAKE_DIRECTORY ${HS_GUEST_FOLDER}/objects)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${HYPERSTEP_GUEST_CXX} ${mode} ${HS_GUEST_FLAGS} ${ARGN} -MD -MF ${object}.d -c ${source} -o ${object}
      DEPENDS ${source}
      DEPFILE ${object}.d
      COMMENT "guest object ${name} (${bits} bits)"
      VERBATIM)
  endif()
  set(${variable} ${object} PARENT_SCOPE)
endfunction()

# hs_guest(<name> [BITS 32|64] [SSE] [DEFINES <name>...] <sources>...): the image <build>/guests/<name>, an ELF32 file as QEMU's loader
# wants it. Without SSE the program leaves the vector registers alone.
function(hs_guest name)
  cmake_parse_arguments(ARG "SSE" "BITS" "DEFINES" ${ARGN})
  set(bits 64)
  if(ARG_BITS)
    set(bits ${ARG_BITS})
  endif()
  set(extra -mgeneral-regs-only)
  if(ARG_SSE)
    set(extra -msse2 -mfpmath=sse)
  endif()
  foreach(define ${ARG_DEFINES})
    list(APPEND extra -D${define})
  endforeach()
  set(objects)
  foreach(source boot.S traps.S traps.cpp console.cpp)
    hs_guest_object(object ${bits} ${HS_GUEST_RUNTIME}/${source} -mgeneral-regs-only)
    list(APPEND objects ${object})
  endforeach()
  foreach(source ${ARG_UNPARSED_ARGUMENTS})
    hs_guest_object(object ${bits} ${CMAKE_CURRENT_SOURCE_DIR}/${source} ${extra})
    list(APPEND objects ${object})
  endforeach()
  set(image ${HS_GUEST_FOLDER}/${name})
  add_custom_command(
    OUTPUT ${image}
    COMMAND ${HYPERSTEP_GUEST_CXX} -m${bits} -nostdlib -static -no-pie -T ${HS_GUEST_RUNTIME}/link.ld
            -Wl,--build-id=none -Wl,-n -Wl,--no-warn-rwx-segments ${objects} -o ${image}.elf
    COMMAND ${HYPERSTEP_OBJCOPY} -O elf32-i386 ${image}.elf ${image}
    DEPENDS ${objects} ${HS_GUEST_RUNTIME}/link.ld
    COMMENT "guest ${name}"
    VERBATIM)
  add_custom_target(guest_${name} DEPENDS ${image})
  add_dependencies(guests guest_${name})
endfunction()

# The boot sector that brings an image onto an emulator without a multiboot loader.
add_custom_command(
  OUTPUT ${HS_GUEST_FOLDER}/boot_disk.bin
  COMMAND ${CMAKE_COMMAND} -E make_directory ${HS_GUEST_FOLDER}
  COMMAND ${HYPERSTEP_GUEST_CXX} -m32 -nostdlib -static -no-pie -Wl,-Ttext=0x7c00 -Wl,--build-id=none
          -Wl,--oformat=binary ${HS_GUEST_RUNTIME}/boot_disk.S -o ${HS_GUEST_FOLDER}/boot_disk.bin
  DEPENDS ${HS_GUEST_RUNTIME}/boot_disk.S
  COMMENT "guest boot sector"
  VERBATIM)
add_custom_target(guest_boot_disk DEPENDS ${HS_GUEST_FOLDER}/boot_disk.bin)
add_dependencies(guests guest_boot_disk)

# hs_guest_test(<name> [SMP <processors>] [GOLDEN] [ONLY qemu|bochs]): the image on each emulator, labelled `guests`. With GOLDEN what it
# prints is compared with tests/golden/guests/<name>.txt; the file <name>.<emulator>.txt has what that emulator prints
# where it is wrong. Without, the guest checks itself. ONLY names the one other emulator that can run it. An emulator that is not installed is skipped by name.
function(hs_guest_test name)
  cmake_parse_arguments(ARG "GOLDEN" "SMP;ONLY" "" ${ARGN})
  set(arguments --timeout 60)
  if(ARG_SMP)
    list(APPEND arguments --smp ${ARG_SMP})
  endif()
  set(emulators qemu bochs)
  if(ARG_ONLY)
    set(emulators ${ARG_ONLY})
  endif()
  # Our own emulator from the day that it has the command.
  if(EXISTS ${PROJECT_SOURCE_DIR}/cli/run_command.cpp)
    list(APPEND emulators hyperstep)
  endif()
  foreach(emulator ${emulators})
    set(golden)
    if(ARG_GOLDEN)
      set(file ${PROJECT_SOURCE_DIR}/tests/golden/guests/${name}.txt)
      if(EXISTS ${PROJECT_SOURCE_DIR}/tests/golden/guests/${name}.${emulator}.txt)
        set(file ${PROJECT_SOURCE_DIR}/tests/golden/guests/${name}.${emulator}.txt)
      endif()
      set(golden --golden ${file})
    endif()
    set(on ${emulator})
    if(emulator STREQUAL "hyperstep")
      set(on $<TARGET_FILE:hyperstep>)
    endif()
    add_test(NAME guests.${name}.${emulator}
             COMMAND Python3::Interpreter -B ${PROJECT_SOURCE_DIR}/tests/guests/compare.py ${HS_GUEST_FOLDER}/${name}
                     --on ${on} ${golden} ${arguments})
    set_tests_properties(guests.${name}.${emulator} PROPERTIES LABELS guests SKIP_RETURN_CODE 77 TIMEOUT 90)
  endforeach()
endfunction()
