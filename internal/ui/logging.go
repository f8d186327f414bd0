package ui

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The values of --log-format.
const (
	LogText = "text"
	LogJSON = "json"
)

// LogLevel returns the least level that is shown.
func LogLevel(quiet, verbose bool) slog.Level {
	switch {
	case quiet:
		return slog.LevelError
	case verbose:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// NewLogger returns a logger for c in the format of --log-format.
func NewLogger(c *Console, format string, level slog.Level) *slog.Logger {
	if format == LogJSON {
		return slog.New(slog.NewJSONHandler(jsonLines{c}, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(&lineHandler{out: wrappingWriter{c}, level: level, mu: new(sync.Mutex)})
}

// lineHandler writes log lines for people: "warning: text key=value". Information has no word before it. With debugging
// each line has its time.
type lineHandler struct {
	out   io.Writer
	level slog.Level
	attrs []slog.Attr
	group string
	mu    *sync.Mutex
}

// Enabled implements [slog.Handler].
func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle implements [slog.Handler].
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	if h.level <= slog.LevelDebug {
		b.WriteString(r.Time.UTC().Format("15:04:05.000 "))
	}
	switch {
	case r.Level >= slog.LevelError:
		b.WriteString("error: ")
	case r.Level >= slog.LevelWarn:
		b.WriteString("warning: ")
	case r.Level < slog.LevelInfo:
		b.WriteString("debug: ")
	}
	b.WriteString(Indented(ShownText(r.Message)))
	for _, a := range h.attrs {
		writeAttr(&b, a)
	}
	r.Attrs(func(a slog.Attr) bool {
		a.Key = h.group + a.Key
		writeAttr(&b, a)
		return true
	})
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, b.String())
	return err
}

func writeAttr(b *strings.Builder, a slog.Attr) {
	value := Shortened(a.Value.Resolve().String())
	if strings.ContainsAny(value, " \"=") || value == "" || PrintableLine(value) != value {
		value = strconv.Quote(value)
	}
	b.WriteString(" " + a.Key + "=" + value)
}

// WithAttrs implements [slog.Handler].
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		a.Key = h.group + a.Key
		with.attrs = append(with.attrs, a)
	}
	return &with
}

// WithGroup implements [slog.Handler].
func (h *lineHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.group += name + "."
	return &with
}
