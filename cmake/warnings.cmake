# Flags of everything built here. vkv_flags is linked PRIVATE by each target.
add_library(vkv_flags INTERFACE)
target_compile_options(vkv_flags INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra -Wmissing-field-initializers>
  $<$<AND:$<BOOL:${VKV_WERROR}>,$<COMPILE_LANGUAGE:C,CXX>>:-Werror>)
if(VKV_SANITIZE)
  # GCC's own text: with sanitizers this warning is often wrong.
  target_compile_options(vkv_flags INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  target_compile_options(vkv_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${VKV_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
                         -g1>)
  target_link_options(vkv_flags INTERFACE -fsanitize=${VKV_SANITIZE})
endif()
