package rejectsfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/lanyardctl/lanyardctl/internal/ownfile"
	"github.com/lanyardctl/lanyardctl/record"
)

// Writer appends a run's lines to a file of mode 0600, which is made when the first line is written. Its methods may be
// called from any goroutine.
type Writer struct {
	path string
	run  Run

	resumed bool // a run that was killed may have left half a line at the file's end

	mu      sync.Mutex
	buf     bytes.Buffer
	file    *os.File
	any     bool // the run added a line, now or before it was resumed
	earlier int64

	failed error // of the first write that failed, after which nothing is written any more
}

// NewWriter returns a writer of the run's lines. It does nothing with the file before [Writer.Add].
func NewWriter(path string, run Run) *Writer { return &Writer{path: path, run: run} }

// Resume tells, before anything is added, that the run's first part wrote to the file, and whether it added a line.
func (w *Writer) Resume(added bool) { w.resumed, w.any = true, added }

// Holds reports whether the file at the path holds a line of the run. One that cannot be read holds none.
func Holds(path, run string) bool {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	own, _, err := countLines(file, run)
	return err == nil && own > 0
}

// flushAt bounds the lines that wait in memory, in bytes.
const flushAt = 1 << 20

// Add adds a line. It is in the file for sure after the next [Writer.Flush].
func (w *Writer) Add(r record.Reject) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text, err := Line{Reject: r, Run: w.run}.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode a line of %s: %w", w.path, err)
	}
	w.buf.Write(text)
	w.buf.WriteByte('\n')
	w.any = true
	if w.buf.Len() >= flushAt {
		return w.write()
	}
	return nil
}

// AddSuperseded is [Writer.Add] for a value that gave way.
func (w *Writer) AddSuperseded(s record.Superseded) error {
	s.Reason = record.SupersededReason
	return w.Add(record.Reject(s))
}

// Flush writes the waiting lines and waits until the disk has them.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil && w.buf.Len() == 0 {
		return nil
	}
	if err := w.write(); err != nil {
		return err
	}
	w.failed = w.file.Sync()
	return w.failed
}

// write writes the waiting lines. Its errors name the file, as those of package os do.
func (w *Writer) write() error {
	if w.failed == nil {
		w.failed = w.tryWrite()
	}
	return w.failed
}

func (w *Writer) tryWrite() error {
	if w.file == nil {
		file, err := ownfile.Append(w.path)
		if err != nil {
			return fmt.Errorf("open the rejects file: %w", err)
		}
		w.file = file
		end := endHalfLine
		if w.resumed {
			end = cutHalfLine
		}
		if err := end(file); err != nil {
			return fmt.Errorf("go on with the rejects file: %w", err)
		}
		if _, w.earlier, err = countLines(file, w.run.ID); err != nil {
			return fmt.Errorf("read the earlier lines of the rejects file: %w", err)
		}
	}
	if _, err := w.file.Write(w.buf.Bytes()); err != nil {
		return err
	}
	w.buf.Reset()
	return nil
}

// countLines counts the lines that the run wrote, and those of others. The bytes of a run's member stand nowhere else
// in a line: inside a string, quotation marks are escaped.
func countLines(file *os.File, run string) (own, others int64, err error) {
	name, err := json.Marshal(run)
	if err != nil {
		return 0, 0, err
	}
	member := append([]byte(`"run":`), name...)
	in := bufio.NewReaderSize(io.NewSectionReader(file, 0, 1<<62), 64<<10)
	var tail []byte // of what was read of the line, as long as a split member may be
	found, open := false, false
	for {
		piece, err := in.ReadSlice('\n')
		tail = append(tail, piece...)
		found = found || bytes.Contains(tail, member)
		open = open || len(piece) > 0
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			tail = append(tail[:0], tail[max(len(tail)-len(member), 0):]...)
			continue
		case err != nil && err != io.EOF:
			return 0, 0, err
		case found:
			own++
		case open:
			others++
		}
		if err == io.EOF {
			return own, others, nil
		}
		found, open, tail = false, false, tail[:0]
	}
}

// endHalfLine ends what another run left half written, so that only that line is damaged.
func endHalfLine(file *os.File) error {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, end-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = file.WriteString("\n")
	return err
}

// cutHalfLine removes what stands behind the file's last newline. Nothing is lost: a checkpoint is only saved behind
// whole lines, so the half one is written again.
func cutHalfLine(file *os.File) error {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	tail := make([]byte, 64<<10)
	for whole := end; whole > 0; {
		n := min(int64(len(tail)), whole)
		if _, err := file.ReadAt(tail[:n], whole-n); err != nil {
			return err
		}
		if i := bytes.LastIndexByte(tail[:n], '\n'); i >= 0 {
			return file.Truncate(whole - n + int64(i) + 1)
		}
		whole -= n
	}
	return file.Truncate(0)
}

// Used returns the path, or nothing where the run added no line, and how many lines of other runs are in the file.
func (w *Writer) Used() (path string, earlier int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.any {
		return "", 0
	}
	return w.path, w.earlier
}

// Close flushes, and closes the file.
func (w *Writer) Close() error {
	err := w.Flush()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		err = errors.Join(err, w.file.Close())
		w.file = nil
	}
	return err
}
