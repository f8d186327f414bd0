package redis

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	goredis "github.com/redis/go-redis/v9"
)

var (
	long = strings.Repeat("x", 70<<10) // longer than what is read at once

	answersText = "+OK\r\n:-7\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n-WRONGTYPE no\r\n*0\r\n*2\r\n$1\r\na\r\n$0\r\n\r\n" +
		"*2\r\n$2\r\n17\r\n*3\r\n$2\r\nk1\r\n$71680\r\n" + long + "\r\n$2\r\nk3\r\n$71680\r\n" + long + "\r\n"
	answersRead = []answer{
		{text: "OK"}, {n: -7}, {text: "a\r\nbc"}, {}, {err: goredis.Nil}, {err: refusal("WRONGTYPE no")}, {}, {list: []string{"a", ""}},
		{text: "17", list: []string{"k1", long, "k3"}}, {text: long},
	}
)

func TestAnswersAreReadAsTheyWereSent(t *testing.T) {
	for _, apart := range []bool{false, true} {
		for name, in := range map[string]io.Reader{
			"at once":   strings.NewReader(answersText),
			"by a byte": iotest.OneByteReader(strings.NewReader(answersText)),
		} {
			got, err := newReplies(in).read(nil, len(answersRead), apart)
			if diff := cmp.Diff(answersRead, got, cmp.AllowUnexported(answer{}), cmpopts.EquateErrors(), cmpopts.EquateEmpty()); diff != "" || err != nil {
				t.Errorf("%s, apart %v: %v\n%.2000s", name, apart, err, diff)
			}
		}
	}
}

func TestWhatIsNoAnswerIsRefused(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\n", "OK\n", "\r\n", ":\r\n", ":1x\r\n", "$x\r\n", "$-2\r\n", "$1\r\nabc\r\n", "$999999999999\r\n", "*-2\r\n", "*1\r\n:1\r\n",
		"*1\r\n$-1\r\n", "*2\r\n*0\r\n*0\r\n", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\n0\r\n*0\r\n", "*99999999999\r\n", "%1\r\n", "+" + long + long,
	} {
		if got, err := newReplies(strings.NewReader(text)).read(nil, 1, false); !errors.Is(err, errProtocol) {
			t.Errorf("%.40q was read as %.100v, %v", text, got, err)
		}
	}
	for end := range answersText[:90] { // a connection that ends
		if _, err := newReplies(strings.NewReader(answersText[:end])).read(nil, len(answersRead), false); !errors.Is(err, io.EOF) {
			t.Errorf("ended after %d bytes: %v", end, err)
		}
	}
}

// FuzzAnswers reads anything, at once and byte by byte: both say the same.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(answersText[:100]), false)
	f.Add([]byte("*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"), true)
	f.Add([]byte("-ERR x\r\n:1\r\n$-1\r\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, apart bool) {
		a, errA := newReplies(bytes.NewReader(text)).read(nil, 3, apart)
		b, errB := newReplies(iotest.OneByteReader(bytes.NewReader(text))).read(nil, 3, !apart)
		if (errA == nil) != (errB == nil) {
			t.Fatalf("%v, %v", errA, errB)
		}
		if diff := cmp.Diff(a, b, cmp.AllowUnexported(answer{}), cmpopts.EquateErrors(), cmpopts.EquateEmpty()); diff != "" && errA == nil {
			t.Fatal(diff)
		}
	})
}

func TestACommandIsWrittenAsRedisReadsIt(t *testing.T) {
	var b batch
	b.ask("GET", "a\r\nb")
	b.begin(2)
	b.word("EXISTS", "")
	b.word("lanyard_kv:", "1")
	if got := string(b.buf); got != "*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*2\r\n$6\r\nEXISTS\r\n$12\r\nlanyard_kv:1\r\n" {
		t.Errorf("%q", got)
	}
	for i, want := range [][]string{{"GET", "a\r\nb"}, {"EXISTS", "lanyard_kv:1"}} {
		if diff := cmp.Diff(want, b.command(i)); diff != "" {
			t.Error(diff)
		}
	}
}
