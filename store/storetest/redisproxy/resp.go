package redisproxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// readValue reads one value of RESP 2 or 3, or a command that is a bare line, and keeps its bytes. Words are the texts in
// it; pushed is set for what is no answer to a command.
func readValue(in *bufio.Reader, raw *bytes.Buffer) (words []string, pushed bool, err error) {
	line, err := in.ReadString('\n')
	raw.WriteString(line)
	if err != nil {
		return nil, false, err
	}
	text := strings.TrimRight(line, "\r\n")
	if text == "" {
		return nil, false, fmt.Errorf("an empty line is no value")
	}
	n, _ := strconv.Atoi(text[1:])
	switch text[0] {
	case '$', '=', '!':
		if n < 0 {
			return nil, false, nil
		}
		b := make([]byte, n+len("\r\n"))
		_, err := io.ReadFull(in, b)
		raw.Write(b)
		return []string{string(b[:n])}, false, err
	case '*', '~', '>':
		words, err := readValues(in, raw, n)
		return words, text[0] == '>', err
	case '%':
		words, err := readValues(in, raw, 2*n)
		return words, false, err
	case '+', '-', ':', '_', '#', ',', '(':
		return []string{text[1:]}, false, nil
	}
	return strings.Fields(text), false, nil
}

func readValues(in *bufio.Reader, raw *bytes.Buffer, n int) (words []string, err error) {
	for range n {
		more, _, err := readValue(in, raw)
		if err != nil {
			return nil, err
		}
		words = append(words, more...)
	}
	return words, nil
}
