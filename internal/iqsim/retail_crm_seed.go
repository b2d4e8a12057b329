package iqsim

import (
	"fmt"
	"strconv"
	"strings"
)

// seedCustomers fills the company's customer base. Every field is a function
// of the customer's number.
func (s *retail) seedCustomers() {
	first := []string{"Jasmine", "Robert", "Amara", "Liam", "Chloe", "Noah", "Priya", "Mateo", "Ingrid", "Omar", "Yuki", "Bob", "Elena", "Tariq", "Zoe", "Hugo", "Nadia"}
	last := []string{"Smith", "Tremblay", "O'Connor", "Nguyen", "Kowalski", "Fraser", "Okafor", "Lindqvist", "Garcia", "Ziegler", "Singh", "Dubois", "Haddad"}
	for n := range seedCustomerCount {
		id := seedID("customer", n)
		if n == 0 {
			id = seedCustomerID
		}
		customer := document{
			"Id": id, "PrimaryName": pick(first, n), "MiddleName": nil, "FamilyName": pick(last, n),
			"AlternateName": nil, "CustomerType": "Person", "CustomerTypeId": 2,
			"DateOfBirth": fmt.Sprintf("%d-%02d-%02dT12:00:00.000", 1950+n%50, 1+n%12, 1+n%28),
			"Disabled":    false, "DoNotContact": n%5 == 0, "Title": pick([]string{"Ms", "Mr", "Dr"}, n),
			"Notes":               "Simulated customer of " + s.o.Environment,
			"UniqueIdentifier":    fmt.Sprintf("CUST-%05d", 10001+n),
			"LastModifiedDateUtc": stamp(seedTime(n)), "Version": 1,
		}
		if n%20 == 19 {
			customer["PrimaryName"], customer["FamilyName"] = pick(last, n)+" Wireless Ltd", nil
			customer["CustomerType"], customer["CustomerTypeId"] = "Company", 3
		}
		s.customers.seed(seedCompanyID, id, customer)
		s.seedContacts(n, id, customer)
	}
}

func (s *retail) seedContacts(n int, id string, customer document) {
	city := []string{"Regina", "Saskatoon", "Vancouver", "Winnipeg"}
	state := []string{"Saskatchewan", "Saskatchewan", "British Columbia", "Manitoba"}
	code := []string{"SK", "SK", "BC", "MB"}
	addressID := seedID("address", n)
	if n == 0 {
		addressID = seedAddressID
	}
	s.customerParts.seed(scopeOf(seedCompanyID, id, "Addresses"), addressID, document{
		"Id": addressID, "CustomerId": id, "AddressType": "Home", "AddressTypeId": 2, "AttentionTo": nil,
		"Country": "Canada", "CountryCode": "CA", "Default": true, "DoNotContact": false,
		"Locality": pick(city, n), "State": pick(state, n), "StateCode": pick(code, n),
		"PostalCode":     fmt.Sprintf("S4%c %d%c%d", 'A'+rune(n%20), n%10, 'A'+rune(n*3%20), n*7%10),
		"StreetAddress1": strconv.Itoa(100+n) + " Albert Street", "StreetAddress2": nil,
		"Phone": phoneNumber(n), "Email": nil, "Notes": nil, "Version": 1,
	})
	name := strings.ToLower(strings.ReplaceAll(customer.text("PrimaryName"), " ", ""))
	s.seedContact(id, n*2, "Email", 2, "Home", 9, fmt.Sprintf("%s.%d@example.com", name, n))
	s.seedContact(id, n*2+1, "Phone", 1, "Mobile", 3, phoneNumber(n))
}

func (s *retail) seedContact(customer string, n int, category string, categoryID int, kind string, kindID int, value string) {
	id := seedID("contact method", n)
	s.customerParts.seed(scopeOf(seedCompanyID, customer, "ContactMethods"), id, document{
		"Id": id, "CustomerId": customer, "ContactMethodCategory": category, "ContactMethodCategoryId": categoryID,
		"ContactMethodType": kind, "ContactMethodTypeId": kindID, "Default": n%2 == 0, "DoNotContact": false,
		"Notes": nil, "Value": value, "Version": 1,
	})
}

// phoneNumber is in the range that is reserved for fiction.
func phoneNumber(n int) string { return fmt.Sprintf("(306) 555-%04d", 100+n%100) }
