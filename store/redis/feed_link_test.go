package redis

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
)

const (
	toldUser = record.UserID(94490510688792576)
	toldText = ">2\r\n$10\r\ninvalidate\r\n*3\r\n$28\r\nlanyard_kv:94490510688792576\r\n$7\r\nother:1\r\n$11\r\napi_key:a\r\n\r\n" +
		"+PONG\r\n" +
		">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n" +
		">2\r\n$10\r\ninvalidate\r\n_\r\n" +
		"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$35\r\n__keyspace@0__:user_api_key:1000000\r\n$3\r\nset\r\n" +
		"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$35\r\n__keyspace@1__:user_api_key:2000000\r\n$3\r\nset\r\n" +
		"*2\r\n$4\r\npong\r\n$0\r\n\r\n" +
		"%1\r\n$1\r\na\r\n*2\r\n:1\r\n~1\r\n#t\r\n" +
		">3\r\n$7\r\nunknown\r\n,1.5\r\n=5\r\ntxt:a\r\n" +
		">2\r\n$10\r\ninvalidate\r\n*1\r\n$18\r\nlanyard:metrics_v1\r\n" +
		"-NOPERM no\r\n"
)

// told reads all that is told, and how many answers there are.
func told(r io.Reader) (l *feedLink, answers int, err error) {
	l = &feedLink{in: newReplies(r), wanted: record.LanyardKinds, channel: "__keyspace@0__:"}
	for {
		answered, _, err := l.next()
		if err != nil {
			return l, answers, err
		}
		if answered {
			answers++
		}
	}
}

func TestWhatIsToldIsReadAsItWasSent(t *testing.T) {
	want := []record.SourceChange{
		{Kind: record.KV, User: toldUser}, {Kind: record.APIKeys, APIKey: "a\r\n"}, {Kind: record.APIKeys, User: 1000000}, {Kind: record.Metrics},
	}
	for name, r := range map[string]io.Reader{
		"at once": strings.NewReader(toldText), "by a byte": iotest.OneByteReader(strings.NewReader(toldText)),
	} {
		l, answers, err := told(r)
		if d := cmp.Diff(want, l.changes); d != "" || answers != 5 || !l.flushed || err != io.EOF {
			t.Errorf("%s: %d answers, %v\n%s", name, answers, err, d)
		}
	}
	for text, want := range map[string]bool{">2\r\n$10\r\ninvalidate\r\n*-1\r\n": true, ">2\r\n$10\r\ninvalidate\r\n*0\r\n": false} {
		if l, _, err := told(strings.NewReader(text)); l.flushed != want || err != io.EOF {
			t.Errorf("%q: %v, %v", text, l.flushed, err)
		}
	}
}

func TestWhatNoServerTellsIsRefused(t *testing.T) {
	for _, text := range []string{
		">0\r\n", ">-1\r\n", ">x\r\n", ">1\r\n:1\r\n", ">2\r\n$10\r\ninvalidate\r\n$1\r\na\r\n", ">2\r\n$10\r\ninvalidate\r\n*1\r\n:1\r\n",
		">2\r\n$10\r\ninvalidate\r\n*x\r\n", "$-2\r\n", "|1\r\n", "*1\r\n$1\r\nab\r\n", ">2\r\n$1\r\na\r\n" + strings.Repeat("*1\r\n", 20), "HTTP/1.1 200 OK\r\n", ">2\n",
		"%4611686018427387904\r\n", "$9223372036854775807\r\n", "~1099511627776\r\n",
	} {
		if _, _, err := told(strings.NewReader(text)); !errors.Is(err, errProtocol) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzTold reads anything, at once and byte by byte: both say the same.
func FuzzTold(f *testing.F) {
	for part := range strings.SplitAfterSeq(toldText, "\r\n>") {
		f.Add([]byte(part))
	}
	f.Add([]byte(toldText))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, answersA, errA := told(bytes.NewReader(text))
		b, answersB, errB := told(iotest.OneByteReader(bytes.NewReader(text)))
		if d := cmp.Diff(a.changes, b.changes); d != "" || answersA != answersB || a.flushed != b.flushed || errors.Is(errA, errProtocol) != errors.Is(errB, errProtocol) {
			t.Fatalf("%d, %v; %d, %v\n%s", answersA, errA, answersB, errB, d)
		}
	})
}

// listed is a listener that keeps what it is told.
type listed struct{ changes []record.SourceChange }

func (l *listed) Changed(changes []record.SourceChange) { l.changes = append(l.changes, changes...) }
func (l *listed) Everything(string)                     {}

// TestAPingIsAnsweredAfterWhatWasToldBefore has the answer come along with what was told before it, and a piece of what is
// told later.
func TestAPingIsAnsweredAfterWhatWasToldBefore(t *testing.T) {
	ours, theirs := net.Pipe()
	to := new(listed)
	l := newFeedLink("", ours, record.LanyardKinds, new(goredis.Options))
	go func() {
		_, _ = theirs.Read(make([]byte, 100))
		_, _ = theirs.Write([]byte(toldText[:strings.Index(toldText, "_\r\n")]))
	}()
	answered, err := l.ping()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- l.receive(&feed{to: to}) }()
	<-answered
	if len(to.changes) != 2 {
		t.Errorf("%d changes were told before the answer", len(to.changes))
	}
	if err := theirs.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrFeedEnded) {
		t.Error(err)
	}
}
