// Gen writes the part of the package that follows from vkv.h: constants.go and ops.go. Run by go generate in
// bindings/go; with -check it writes nothing and fails if a file is not what it would write.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
)

func main() {
	path := flag.String("header", "../../include/vkv.h", "the header")
	check := flag.Bool("check", false, "compare only")
	flag.Parse()
	if err := generate(*path, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func generate(path string, check bool) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	h, err := parseHeader(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for name, source := range map[string]string{"constants.go": constants(h), "ops.go": operations(h)} {
		formatted, err := format.Source([]byte(source))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !check {
			if err := os.WriteFile(name, formatted, 0o644); err != nil {
				return err
			}
			continue
		}
		if present, err := os.ReadFile(name); err != nil || !bytes.Equal(present, formatted) {
			return fmt.Errorf("%s is not what the header says; run go generate in bindings/go", name)
		}
	}
	return nil
}
