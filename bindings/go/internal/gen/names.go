package main

import (
	"regexp"
	"strings"
)

// initialisms are the words of the header that Go writes in a way of its own.
var initialisms = map[string]string{
	"kv": "KV", "mla": "MLA", "fp8": "FP8", "cp": "CP", "tp": "TP", "lse": "LSE", "pe": "PE", "ql": "QL", "ds": "DS",
	"nvfp4": "NVFP4", "gptj": "GPTJ", "sms": "SMs", "cuda": "CUDA", "cpu": "CPU", "id": "ID",
	"e4m3": "E4M3", "e5m2": "E5M2", "bf16": "BF16",
}

// goName is a header name in Go: key_cache is KeyCache, kv_indptr is KVIndptr.
func goName(name string) string {
	var b strings.Builder
	for _, word := range strings.Split(strings.ToLower(name), "_") {
		if special, ok := initialisms[word]; ok {
			b.WriteString(special)
		} else if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// constant is a constant of the header in Go: VKV_ROPE_NEOX is RopeNeox.
func constant(k kind, name string) string {
	if name == "VKV_OK" {
		return "OK"
	}
	return k.goPrefix + goName(strings.TrimPrefix(name, k.prefix))
}

var cName = regexp.MustCompile(`(vkv|VKV)_[A-Za-z0-9_]+\*?`)

// goText puts the header's prose into Go's names.
func goText(text string) string {
	return cName.ReplaceAllStringFunc(text, func(name string) string {
		if strings.HasPrefix(name, "vkv_") {
			return goName(strings.TrimPrefix(name, "vkv_"))
		}
		for _, k := range kinds {
			if strings.HasPrefix(name, k.prefix) {
				star := strings.TrimSuffix(name, "*")
				return constant(k, star) + name[len(star):]
			}
		}
		return goName(strings.TrimPrefix(name, "VKV_"))
	})
}

// comment is text as lines of a Go comment, with formulas (what is indented) as gofmt puts them, set off by blank
// lines.
func comment(text string) string {
	var b strings.Builder
	formula := 0 // the indentation of the formula that the last line belongs to
	last := ""
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if line != "" && last != "" && (indent > 0) != (formula > 0) {
			b.WriteString("//\n")
		}
		switch {
		case line == "":
			b.WriteString("//\n")
			formula = 0
		case indent == 0:
			b.WriteString("// " + line + "\n")
			formula = 0
		default:
			if formula == 0 {
				formula = indent
			}
			b.WriteString("//\t" + strings.TrimPrefix(line, strings.Repeat(" ", formula)) + "\n")
		}
		last = line
	}
	return b.String()
}

// trimLines takes the indentation off every line.
func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}
