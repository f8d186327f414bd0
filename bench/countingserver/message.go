package countingserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/FerretDB/wire"
	"github.com/FerretDB/wire/wirebson"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// message is a command with the documents that came beside it, in a section of their own.
type message struct {
	id        int32
	legacy    bool // an OP_QUERY, with which drivers say hello
	command   bson.Raw
	documents []bson.Raw
}

// readMessage reads the next one. It returns [io.EOF] where the client has gone.
//
// [wire.ReadMessage] decodes all documents of every message to check them, at more than what a program needs to write
// them. So it reads the rare legacy messages alone.
func readMessage(r *bufio.Reader) (*message, error) {
	head, err := r.Peek(wire.MsgHeaderLen)
	if err != nil {
		return nil, err
	}
	length := int(binary.LittleEndian.Uint32(head))
	id, code := int32(binary.LittleEndian.Uint32(head[4:])), wire.OpCode(binary.LittleEndian.Uint32(head[12:]))
	switch {
	case length < wire.MsgHeaderLen || length > wire.MaxMsgLen:
		return nil, fmt.Errorf("a message of %d bytes", length)
	case code == wire.OpCodeQuery:
		_, body, err := wire.ReadMessage(r)
		if err != nil {
			return nil, err
		}
		command, err := body.(*wire.OpQuery).Query().Encode()
		return &message{id: id, legacy: true, command: bson.Raw(command)}, err
	case code != wire.OpCodeMsg:
		return nil, fmt.Errorf("a message of the kind %s", code)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	m := &message{id: id}
	return m, m.readSections(b[wire.MsgHeaderLen:])
}

var errCut = errors.New("a message ends too early")

// readSections reads what follows the header of an OP_MSG.
func (m *message) readSections(b []byte) error {
	const flags, size = 4, 4
	if len(b) < flags {
		return errCut
	}
	if binary.LittleEndian.Uint32(b) != 0 {
		return errors.New("a message with flags")
	}
	for b = b[flags:]; len(b) > 0; {
		kind := b[0]
		b = b[1:]
		if len(b) < size {
			return errCut
		}
		length := int(binary.LittleEndian.Uint32(b))
		if length < size || length > len(b) {
			return errCut
		}
		section := b[:length]
		b = b[length:]
		if kind == 0 {
			m.command = bson.Raw(section)
			continue
		}
		name, err := wirebson.DecodeCString(section[size:])
		if err != nil {
			return err
		}
		for section = section[size+wirebson.SizeCString(name):]; len(section) > 0; {
			n, err := wirebson.FindRaw(section)
			if err != nil {
				return err
			}
			m.documents = append(m.documents, bson.Raw(section[:n:n]))
			section = section[n:]
		}
	}
	if m.command == nil {
		return errors.New("a message without a command")
	}
	return nil
}

// writeReply answers a message.
func writeReply(conn net.Conn, to *message, reply []byte) error {
	if to.legacy {
		body, err := wire.NewOpReply(wirebson.RawDocument(reply))
		if err != nil {
			return err
		}
		b, err := body.MarshalBinary()
		if err != nil {
			return err
		}
		return writeParts(conn, to, wire.OpCodeReply, b)
	}
	var flagsAndKind [5]byte
	return writeParts(conn, to, wire.OpCodeMsg, flagsAndKind[:], reply)
}

func writeParts(conn net.Conn, to *message, code wire.OpCode, parts ...[]byte) error {
	header := wire.MsgHeader{MessageLength: wire.MsgHeaderLen, ResponseTo: to.id, OpCode: code}
	for _, part := range parts {
		header.MessageLength += int32(len(part))
	}
	head, err := header.MarshalBinary()
	if err != nil {
		return err
	}
	buffers := net.Buffers(append([][]byte{head}, parts...))
	_, err = buffers.WriteTo(conn)
	return err
}
