# What an installed command has beside it: manual pages, completions, the units of
# its servers, and what watches them.

# The pages come out of the command itself, so it has to run here.
if(NOT CMAKE_CROSSCOMPILING)
  set(_manuals ${PROJECT_BINARY_DIR}/manuals)
  file(GLOB_RECURSE _headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.h)
  add_custom_command(OUTPUT ${_manuals}/man1/eds.1
                     COMMAND ${PROJECT_SOURCE_DIR}/scripts/manuals.sh $<TARGET_FILE:eds> ${_manuals}
                     DEPENDS eds ${_headers} ${PROJECT_SOURCE_DIR}/scripts/manuals.sh
                     COMMENT "Writing manual pages" VERBATIM)
  add_custom_target(manuals ALL DEPENDS ${_manuals}/man1/eds.1)
  foreach(section 1 3 5)
    install(DIRECTORY ${_manuals}/man${section} DESTINATION ${CMAKE_INSTALL_MANDIR})
  endforeach()
  install(FILES ${_manuals}/completions/bash RENAME eds
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${_manuals}/completions/zsh RENAME _eds
          DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  install(FILES ${_manuals}/completions/fish RENAME eds.fish
          DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

# The units name the command where it will be.
file(GLOB _units CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/deploy/systemd/*.service
     ${PROJECT_SOURCE_DIR}/deploy/systemd/*.socket)
foreach(unit ${_units})
  get_filename_component(_name ${unit} NAME)
  file(READ ${unit} _text)
  string(REPLACE "/usr/bin/eds" "${CMAKE_INSTALL_FULL_BINDIR}/eds" _text "${_text}")
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/systemd/${_name} CONTENT "${_text}" @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/generated/systemd/${_name} DESTINATION lib/systemd/system)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/edgesentry.sysusers RENAME edgesentry.conf
        DESTINATION lib/sysusers.d)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/edgesentry.tmpfiles RENAME edgesentry.conf
        DESTINATION lib/tmpfiles.d)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/deploy/prometheus ${PROJECT_SOURCE_DIR}/deploy/grafana
        DESTINATION ${CMAKE_INSTALL_DATADIR}/edgesentry)
