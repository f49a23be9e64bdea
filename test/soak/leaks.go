package main

import (
	"bytes"
	"encoding/binary"
	"os"
)

// tail is how much of a secret finds it: the end, because all JWTs begin alike.
const tail = 8

// secretIndex finds secrets in long texts: by their last bytes, and then by all.
type secretIndex map[uint64][]string

func newSecretIndex(secrets []string) secretIndex {
	index := secretIndex{}
	for _, secret := range secrets {
		if len(secret) >= tail {
			key := binary.LittleEndian.Uint64([]byte(secret[len(secret)-tail:]))
			index[key] = append(index[key], secret)
		}
	}
	return index
}

// found counts the secrets in a text, each as often as it stands there.
func (index secretIndex) found(text []byte) (count int) {
	for end := tail; end <= len(text); end++ {
		for _, secret := range index[binary.LittleEndian.Uint64(text[end-tail:end])] {
			if bytes.HasSuffix(text[:end], []byte(secret)) {
				count++
			}
		}
	}
	return count
}

// leaks counts the secrets, and the panics, in what the operators and the cluster said.
func (s *soak) leaks(secrets []string) (found, panics int, err error) {
	index := newSecretIndex(secrets)
	files := []string{s.Path(toldFile)}
	for number := range operators {
		files = append(files, s.Path(operatorLog(number)))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, 0, err
		}
		found += index.found(text)
		panics += bytes.Count(text, []byte("panic: ")) + bytes.Count(text, []byte("Observed a panic"))
	}
	return found, panics, nil
}
