package ui

import (
	"regexp"
	"strings"
	"unicode"
)

// Wrapped returns text with each line broken at so many columns, where that is not zero. Secrets have to be out of it,
// since one that is broken is not found any more.
func Wrapped(text string, columns int) string {
	if columns == 0 {
		return text
	}
	t := &Text{Style: Style{Width: columns}}
	for line := range strings.Lines(text) {
		if Columns(line) <= columns {
			t.WriteString(line)
		} else {
			t.fill("", "  ", line)
		}
	}
	return t.String()
}

// commandStart matches the beginning of a command that a text tells its reader to type: of lanyardctl, Redis, Docker or
// MongoDB.
var commandStart = regexp.MustCompile("^[(\"'`]*(?:lanyardctl (?:-|(?:" + ownCommands + ")\\b)|redis-(?:cli|server|check-rdb)|docker|ACL|CONFIG|db\\.\\w+\\.\\w+\\()")

// ownCommands are those of lanyardctl: what else follows the name is a sentence.
const ownCommands = "apikey|completion|demo|dynamodb|embedded|forget|get|help|kv|metrics|migrate|rejects|remember|status|superseded|sweep|sync|verify|version"

// pieces splits a text into what is not to be broken: words, and commands, so that they can be copied.
func pieces(text string) []string {
	var list []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeftFunc(text, unicode.IsSpace) {
		n := endOfWord(text)
		if commandStart.MatchString(text) {
			n = endOfCommand(text)
		}
		list, text = append(list, text[:n]), text[n:]
	}
	return list
}

func endOfWord(text string) int {
	if n := strings.IndexFunc(text, unicode.IsSpace); n >= 0 {
		return n
	}
	return len(text)
}

// endOfCommand returns where a command ends that text begins with: at the end of the sentence's part that it stands in,
// or with the parentheses.
func endOfCommand(text string) int {
	depth := 0
	var quote rune
	before := ' '
	for i, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'' && strings.ContainsRune(" ='$(", before):
			quote = r
		case r == '(':
			depth++
		case r == ')':
			depth--
		case unicode.IsSpace(r) && (depth < 0 || depth == 0 && strings.ContainsRune(";,.:?)", before)) && text[i+1] != '-':
			return i
		}
		before = r
	}
	return len(text)
}
