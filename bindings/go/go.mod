module github.com/libvkv/libvkv/bindings/go

go 1.19
