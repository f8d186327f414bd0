package layout

import "strings"

// SlotCount is the number of slots of every Cluster.
const SlotCount = 16384

// Slot returns the slot of a key in a Cluster: CRC16 (XMODEM) of what stands between its first brace and the next closing one, or of
// all of it where nothing does.
func Slot(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	crc := uint16(0)
	for i := range len(key) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^key[i]]
	}
	return int(crc % SlotCount)
}

// crcTable is that of CRC16 with the polynomial 0x1021.
var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			high := crc&0x8000 != 0
			crc <<= 1
			if high {
				crc ^= 0x1021
			}
		}
		table[i] = crc
	}
	return table
}()
