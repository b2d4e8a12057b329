package iqsim

import (
	"archive/zip"
	"fmt"
	"io"
)

// sheetEncoder writes the worksheet part of an .xlsx file (ECMA-376), with the
// strings inline, so that nothing has to be known before the first row.
type sheetEncoder struct{}

func (e sheetEncoder) begin(dst []byte, t dcTable) []byte {
	dst = append(dst, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`+
		`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`...)
	names := make([]dcCell, len(t.columns))
	for i, c := range t.columns {
		names[i] = cellText(c.name)
	}
	return e.row(dst, t, names, true)
}

func (sheetEncoder) row(dst []byte, _ dcTable, cells []dcCell, _ bool) []byte {
	dst = append(dst, "<row>"...)
	for _, c := range cells {
		switch c.kind {
		case dcNull:
			dst = append(dst, "<c/>"...)
		case dcText:
			dst = append(dst, `<c t="inlineStr"><is><t xml:space="preserve">`...)
			dst = append(appendXMLText(dst, c.text), "</t></is></c>"...)
		case dcBool:
			dst = append(dst, `<c t="b"><v>`...)
			dst = append(dst, byte('0'+c.number))
			dst = append(dst, "</v></c>"...)
		default:
			dst = append(c.appendPlain(append(dst, "<c><v>"...)), "</v></c>"...)
		}
	}
	return append(dst, "</row>"...)
}

func (sheetEncoder) end(dst []byte, _ dcTable) []byte {
	return append(dst, "</sheetData></worksheet>"...)
}

// xlsxParts are the parts of the smallest workbook, but for its sheet.
func xlsxParts() [][2]string {
	const (
		head    = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`
		office  = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
		pkg     = "http://schemas.openxmlformats.org/package/2006/"
		ooxml   = "application/vnd.openxmlformats-officedocument.spreadsheetml."
		relsXML = "application/vnd.openxmlformats-package.relationships+xml"
	)
	relation := func(kind, target string) string {
		return head + `<Relationships xmlns="` + pkg + `relationships"><Relationship Id="rId1" Type="` +
			office + "/" + kind + `" Target="` + target + `"/></Relationships>`
	}
	return [][2]string{
		{"[Content_Types].xml", head + `<Types xmlns="` + pkg + `content-types">` +
			`<Default Extension="rels" ContentType="` + relsXML + `"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="` + ooxml + `sheet.main+xml"/>` +
			`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="` + ooxml + `worksheet+xml"/></Types>`},
		{"_rels/.rels", relation("officeDocument", "xl/workbook.xml")},
		{"xl/workbook.xml", head + `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" ` +
			`xmlns:r="` + office + `"><sheets><sheet name="Report" sheetId="1" r:id="rId1"/></sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml")},
	}
}

// writeXLSX writes t as a workbook, compressed as it goes.
func writeXLSX(w io.Writer, t dcTable) error {
	archive := zip.NewWriter(w)
	for _, part := range xlsxParts() {
		f, err := archive.Create(part[0])
		if err != nil {
			return fmt.Errorf("xlsx part %s: %w", part[0], err)
		}
		if _, err := io.WriteString(f, part[1]); err != nil {
			return fmt.Errorf("xlsx part %s: %w", part[0], err)
		}
	}
	sheet, err := archive.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return fmt.Errorf("xlsx sheet: %w", err)
	}
	if err := writeRows(sheet, sheetEncoder{}, t); err != nil {
		return fmt.Errorf("xlsx sheet: %w", err)
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("xlsx: %w", err)
	}
	return nil
}
