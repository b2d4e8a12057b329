package iqsim

import "strconv"

// locationIDs are the shops of the seeded company, first the one of the
// provider's documentation.
func locationIDs() []string {
	return []string{"14202", "14203", "14204", "14205", "14206", "14207"}
}

// seedCompany fills the company tree and its partners.
func (s *retail) seedCompany() {
	names := []string{"Cornwall Centre", "Grasslands", "Midtown Plaza", "Robson Street", "St Vital", "Online Store"}
	for n, id := range locationIDs() {
		s.locations.seed(seedCompanyID, id, document{
			"Id": atoi(id), "Name": names[n], "Description": "Simulated shop of " + s.o.Environment,
			"ClientEntityId": "SHOP" + strconv.Itoa(n+1), "Role": "Location", "Roles": []document{{"Name": "Location"}},
			"StoreType": "Mall", "LocationType": document{"Id": 2, "Name": "Shop"}, "IsActive": true,
			"Address":  document{"AddressLine1": strconv.Itoa(2100+n) + " 11th Avenue", "City": "Regina", "StateCode": "SK", "StateName": "Saskatchewan", "CountryCode": "CA", "Zip": "S4P 3X4"},
			"TimeZone": document{"Id": "Central America Standard Time", "DaylightSavingTimeEnabled": false},
			"Contacts": []document{}, "StorePhoneNumbers": []document{{"Description": "Main", "Number": phoneNumber(n)}},
			"Attributes": document{}, "CreatedUtc": stamp(seedTime(n)), "LastModifiedUtc": stamp(seedTime(n)), "Version": 1,
		})
	}
	s.seedPartner("Carriers", "Carrier", 9, "Helios")
	s.seedPartner("Suppliers", "Supplier", seedSupplierID, seedVendorName)
	for _, m := range models() {
		if m.makerID != 9 {
			s.seedPartner("Manufacturers", "Manufacturer", m.makerID, m.maker)
		}
	}
	s.entities.seed("Companies", seedCompanyID, document{
		"Id": 14146, "Name": "Kentel Corp", "DisplayName": "Kentel Corp", "Description": "Simulated company of " + s.o.Environment,
		"Role": "Company", "Roles": []document{{"Name": "Company"}}, "SortName": "kentel corp", "Attributes": document{},
		"Relationships": []document{{"Id": 1, "Definition": 14, "Source": 14146, "Destination": seedSupplierID}},
		"CreatedUtc":    stamp(seedTime(0)), "LastModifiedUtc": stamp(seedTime(0)), "Version": 7,
	})
}

func (s *retail) seedPartner(kind, role string, id int, name string) {
	s.entities.seed(kind, strconv.Itoa(id), document{
		"Id": id, "Name": name, "DisplayName": name, "Description": "", "Attributes": document{}, "Logo": document{},
		"ClientEntityId": role + "_" + strconv.Itoa(id), "Role": role, "Roles": []document{{"Name": role}},
		"Relationships": []document{}, "CreatedUtc": stamp(seedTime(0)), "LastModifiedUtc": stamp(seedTime(0)), "Version": 1,
	})
}
