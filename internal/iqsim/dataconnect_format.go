package iqsim

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"time"
)

// The media types of the documented formats. DataConnect negotiates none of
// them by Accept.
const (
	mediaJSON = "application/json"
	mediaXML  = "text/xml"
	mediaCSV  = "text/csv"
	mediaXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// dcFormat is what the Response parameter asks for.
type dcFormat struct {
	mediaType string
	extension string
	encoder   dcEncoder // nil for a workbook
	mail      bool      // to Email.To instead of in the answer
}

// parseDCFormat reads Response; Json is the default.
func parseDCFormat(p dcParams) (dcFormat, error) {
	name, mail := strings.CutSuffix(strings.ToLower(p.get("Response")), ".email")
	f := dcFormat{mail: mail}
	switch name {
	case "", "json":
		f.mediaType, f.extension, f.encoder = mediaJSON, "json", jsonEncoder{}
	case "jsondatatable":
		f.mediaType, f.extension, f.encoder = mediaJSON, "json", jsonEncoder{schema: true}
	case "xml":
		f.mediaType, f.extension, f.encoder = mediaXML, "xml", xmlEncoder{}
	case "xmldatatable":
		f.mediaType, f.extension, f.encoder = mediaXML, "xml", xmlEncoder{schema: true}
	case "excel":
		f.mediaType, f.extension = mediaXLSX, "xlsx"
	case "csv":
		return parseCSVFormat(p, f)
	default:
		return f, unknownFormat(p)
	}
	if mail && name != "xml" && name != "excel" {
		return f, unknownFormat(p)
	}
	return f, nil
}

func parseCSVFormat(p dcParams, f dcFormat) (dcFormat, error) {
	enc, err := newCSVEncoder(p)
	if err != nil {
		return f, err
	}
	f.mediaType, f.extension, f.encoder = mediaCSV, "csv", enc
	if ext := fileWord(strings.TrimPrefix(p.get("CSV.FileExtension"), ".")); ext != "" {
		f.extension = ext
	}
	return f, nil
}

func unknownFormat(p dcParams) error {
	return refusef(http.StatusBadRequest, "Response=%s is not supported. Use Json, JsonDataTable, Xml, XmlDataTable, "+
		"Csv, Excel, Excel.Email, Csv.Email or Xml.Email.", p.get("Response"))
}

// filename returns the name of the answer as a file: Filename, or the name of
// the report and the date.
func (f dcFormat) filename(p dcParams, report string, now time.Time) string {
	if name := fileWord(p.get("Filename")); name != "" {
		return strings.TrimSuffix(name, "."+f.extension) + "." + f.extension
	}
	return fileWord(report) + now.UTC().Format("-2006-01-02.") + f.extension
}

// attached tells whether the answer is offered as a file. That is documented
// for workbooks; the others are when the client names the file.
func (f dcFormat) attached(p dcParams) bool {
	return f.encoder == nil || p.get("Filename") != "" || p.get("CSV.FileExtension") != ""
}

// fileWord keeps what is harmless in a file name and a header field.
func fileWord(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-_.", r):
			return r
		default:
			return '_'
		}
	}, strings.TrimSpace(s))
}

// write encodes t into w. Its memory does not grow with t.
func (f dcFormat) write(w io.Writer, t dcTable) error {
	switch {
	case f.encoder == nil:
		buffered := bufio.NewWriterSize(w, chunkSize) // zip writes in small pieces
		if err := writeXLSX(buffered, t); err != nil {
			return err
		}
		return buffered.Flush()
	case t.export != nil:
		return t.export.write(w, f.encoder, t)
	default:
		return writeRows(w, f.encoder, t)
	}
}
