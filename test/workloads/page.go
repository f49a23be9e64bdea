// Package workloads has the programs of docs/workloads.md as they stand there.
package workloads

import (
	"fmt"
	"os"
	"regexp"
)

// Program is one of the page's: it reads paths, calls each with the token of its folder
// (SPACES_FOLDER), and prints the status of the answer.
type Program struct {
	// Mark is how its block is marked, which is its language.
	Mark string
	// File is the name of the file it goes into, and Text what stands in it.
	File, Text string
	// Run are the words before the file that run it, and Needs what else must be there.
	Run   []string
	Needs string
}

// Page reads the programs of the page at a path. That one of them is not there is an error.
func Page(path string) ([]Program, error) {
	programs := []Program{
		{Mark: "go", File: "main.go", Run: []string{"go", "run"}, Needs: "go"},
		{Mark: "javascript", File: "workload.mjs", Run: []string{"node"}, Needs: "node"},
		{Mark: "python", File: "workload.py", Run: []string{"python3"}, Needs: "python3"},
		{Mark: "sh program", File: "workload.sh", Run: []string{"sh"}, Needs: "curl"},
	}
	page, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	blocks := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)\n```([a-z]+(?: program)?)\n(.*?)\n```\n").FindAllStringSubmatch(string(page), -1) {
		blocks[block[1]] += block[2]
	}
	for i := range programs {
		if programs[i].Text = blocks[programs[i].Mark]; programs[i].Text == "" {
			return nil, fmt.Errorf("%s has no program that is marked as %s", path, programs[i].Mark)
		}
	}
	return programs, nil
}
