package iqsim

import (
	"fmt"
	"strconv"
)

// The documents below are invented; their names, forms and sizes are such that
// the services answer with the header sets that were captured.

func costResources() []plainResource {
	return []plainResource{{name: "ProductCosts", document: func(n int) document {
		return document{
			"CatalogItemId": seedID("catalog item", n), "EntityId": atoi(pick(locationIDs(), n)),
			"AverageCost": dollars(n, 1250), "LastCost": dollars(n, 1275), "CurrencyCode": "CAD",
			"LastModifiedDateUtc": stamp(seedTime(n)),
		}
	}}}
}

func ledgerResources() []plainResource {
	account := func(n int) document {
		return document{
			"AccountNumber": strconv.Itoa(1000 + 10*n), "Name": pick([]string{"Cash", "Inventory", "Sales", "Sales Tax", "Cost of Goods Sold"}, n),
			"IsEnabled": true, "LastModifiedDateUtc": stamp(seedTime(n)),
		}
	}
	transaction := func(n int) document {
		return document{
			"AccountId": 1 + n%5, "EntityId": atoi(pick(locationIDs(), n)), "Debit": dollars(n, 2499), "Credit": price("0.00"),
			"Description": "Sale " + invoiceNumber(n), "DateUtc": stamp(seedTime(n)),
		}
	}
	return []plainResource{{name: "Accounts", document: account}, {name: "Transactions", otherForm: true, document: transaction}}
}

func taxResources() []plainResource {
	rate := func(n int) document {
		return document{"Name": pick([]string{"GST", "PST", "HST", "Environmental Fee"}, n), "Percentage": 5 + n%8, "IsActive": true}
	}
	category := func(n int) document {
		return document{"Name": pick([]string{"Devices", "Accessories", "Services", "Exempt"}, n), "TaxRateIds": []int{1 + n%4, 2 + n%4}}
	}
	return []plainResource{{name: "TaxRates", document: rate}, {name: "TaxCategories", document: category}}
}

func reasonResources() []plainResource {
	return []plainResource{{name: "ReasonCodes", document: func(n int) document {
		return document{
			"Name":        pick([]string{"Damaged", "Stolen", "Found", "Counted"}, n),
			"Description": "Adjusts the quantity on hand, reason " + strconv.Itoa(n), "IsEnabled": true,
			"LastModifiedDateUtc": stamp(seedTime(n)),
		}
	}}}
}

func saleResources() []plainResource {
	return []plainResource{
		{name: "SalesToFulfill", otherForm: true, document: saleSummary},
		{name: "SalesInvoiceSummaries", document: saleSummary},
		{name: "SalesInvoiceDetails", document: saleDetails},
		{name: "Sales", document: saleDetails},
	}
}

func saleReportResources() []plainResource {
	return []plainResource{{name: "ByInvoiceWithProducts", document: saleDetails}}
}

func saleSummary(n int) document {
	return document{
		"InvoiceNumber": invoiceNumber(n), "LocationId": atoi(pick(locationIDs(), n)), "CustomerId": seedID("customer", n%seedCustomerCount),
		"Status": "Completed", "Total": dollars(n, 4998), "DateCreatedUtc": stamp(seedTime(n)),
	}
}

// saleDetails is the summary with three products sold.
func saleDetails(n int) document {
	products := make([]document, 3)
	for at := range products {
		m := models()[(n+at)%len(models())]
		products[at] = document{
			"CatalogItemId": seedID("catalog item", n+at), "Name": m.name + " - " + m.colours[0], "Quantity": 1 + at,
			"UnitPrice": price(m.price), "ClassificationId": m.classID, "Manufacturer": m.maker,
		}
	}
	return saleSummary(n).with(document{"Products": products})
}

func invoiceNumber(n int) string { return fmt.Sprintf("CORNWIN%05d", 100+n) }

// dollars is an amount that differs from document to document.
func dollars(n, cents int) any {
	cents += n % 1000 * 137
	return price(fmt.Sprintf("%d.%02d", cents/100, cents%100))
}
