/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/country_code.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ISO 3166-1, and what databases use beside it: XK, two countries that ended, two regions. Ascending. */
static const struct country_name {
        char code[COUNTRY_TEXT_SIZE];
        const char *name;
} country_names[] = {
        { "AD", "Andorra" },
        { "AE", "United Arab Emirates" },
        { "AF", "Afghanistan" },
        { "AG", "Antigua & Barbuda" },
        { "AI", "Anguilla" },
        { "AL", "Albania" },
        { "AM", "Armenia" },
        { "AN", "Netherlands Antilles (former)" },
        { "AO", "Angola" },
        { "AP", "Asia and Pacific, no country given" },
        { "AQ", "Antarctica" },
        { "AR", "Argentina" },
        { "AS", "American Samoa" },
        { "AT", "Austria" },
        { "AU", "Australia" },
        { "AW", "Aruba" },
        { "AX", "Åland Islands" },
        { "AZ", "Azerbaijan" },
        { "BA", "Bosnia & Herzegovina" },
        { "BB", "Barbados" },
        { "BD", "Bangladesh" },
        { "BE", "Belgium" },
        { "BF", "Burkina Faso" },
        { "BG", "Bulgaria" },
        { "BH", "Bahrain" },
        { "BI", "Burundi" },
        { "BJ", "Benin" },
        { "BL", "St Barthélemy" },
        { "BM", "Bermuda" },
        { "BN", "Brunei" },
        { "BO", "Bolivia" },
        { "BQ", "Caribbean NL" },
        { "BR", "Brazil" },
        { "BS", "Bahamas" },
        { "BT", "Bhutan" },
        { "BV", "Bouvet Island" },
        { "BW", "Botswana" },
        { "BY", "Belarus" },
        { "BZ", "Belize" },
        { "CA", "Canada" },
        { "CC", "Cocos (Keeling) Islands" },
        { "CD", "Congo (Kinshasa)" },
        { "CF", "Central African Rep." },
        { "CG", "Congo (Brazzaville)" },
        { "CH", "Switzerland" },
        { "CI", "Côte d'Ivoire" },
        { "CK", "Cook Islands" },
        { "CL", "Chile" },
        { "CM", "Cameroon" },
        { "CN", "China" },
        { "CO", "Colombia" },
        { "CR", "Costa Rica" },
        { "CS", "Serbia and Montenegro (former)" },
        { "CU", "Cuba" },
        { "CV", "Cape Verde" },
        { "CW", "Curaçao" },
        { "CX", "Christmas Island" },
        { "CY", "Cyprus" },
        { "CZ", "Czech Republic" },
        { "DE", "Germany" },
        { "DJ", "Djibouti" },
        { "DK", "Denmark" },
        { "DM", "Dominica" },
        { "DO", "Dominican Republic" },
        { "DZ", "Algeria" },
        { "EC", "Ecuador" },
        { "EE", "Estonia" },
        { "EG", "Egypt" },
        { "EH", "Western Sahara" },
        { "ER", "Eritrea" },
        { "ES", "Spain" },
        { "ET", "Ethiopia" },
        { "EU", "Europe, no country given" },
        { "FI", "Finland" },
        { "FJ", "Fiji" },
        { "FK", "Falkland Islands" },
        { "FM", "Micronesia" },
        { "FO", "Faroe Islands" },
        { "FR", "France" },
        { "GA", "Gabon" },
        { "GB", "United Kingdom" },
        { "GD", "Grenada" },
        { "GE", "Georgia" },
        { "GF", "French Guiana" },
        { "GG", "Guernsey" },
        { "GH", "Ghana" },
        { "GI", "Gibraltar" },
        { "GL", "Greenland" },
        { "GM", "Gambia" },
        { "GN", "Guinea" },
        { "GP", "Guadeloupe" },
        { "GQ", "Equatorial Guinea" },
        { "GR", "Greece" },
        { "GS", "South Georgia & the South Sandwich Islands" },
        { "GT", "Guatemala" },
        { "GU", "Guam" },
        { "GW", "Guinea-Bissau" },
        { "GY", "Guyana" },
        { "HK", "Hong Kong" },
        { "HM", "Heard Island & McDonald Islands" },
        { "HN", "Honduras" },
        { "HR", "Croatia" },
        { "HT", "Haiti" },
        { "HU", "Hungary" },
        { "ID", "Indonesia" },
        { "IE", "Ireland" },
        { "IL", "Israel" },
        { "IM", "Isle of Man" },
        { "IN", "India" },
        { "IO", "British Indian Ocean Territory" },
        { "IQ", "Iraq" },
        { "IR", "Iran" },
        { "IS", "Iceland" },
        { "IT", "Italy" },
        { "JE", "Jersey" },
        { "JM", "Jamaica" },
        { "JO", "Jordan" },
        { "JP", "Japan" },
        { "KE", "Kenya" },
        { "KG", "Kyrgyzstan" },
        { "KH", "Cambodia" },
        { "KI", "Kiribati" },
        { "KM", "Comoros" },
        { "KN", "St Kitts & Nevis" },
        { "KP", "North Korea" },
        { "KR", "South Korea" },
        { "KW", "Kuwait" },
        { "KY", "Cayman Islands" },
        { "KZ", "Kazakhstan" },
        { "LA", "Laos" },
        { "LB", "Lebanon" },
        { "LC", "St Lucia" },
        { "LI", "Liechtenstein" },
        { "LK", "Sri Lanka" },
        { "LR", "Liberia" },
        { "LS", "Lesotho" },
        { "LT", "Lithuania" },
        { "LU", "Luxembourg" },
        { "LV", "Latvia" },
        { "LY", "Libya" },
        { "MA", "Morocco" },
        { "MC", "Monaco" },
        { "MD", "Moldova" },
        { "ME", "Montenegro" },
        { "MF", "St Martin (French)" },
        { "MG", "Madagascar" },
        { "MH", "Marshall Islands" },
        { "MK", "North Macedonia" },
        { "ML", "Mali" },
        { "MM", "Myanmar" },
        { "MN", "Mongolia" },
        { "MO", "Macau" },
        { "MP", "Northern Mariana Islands" },
        { "MQ", "Martinique" },
        { "MR", "Mauritania" },
        { "MS", "Montserrat" },
        { "MT", "Malta" },
        { "MU", "Mauritius" },
        { "MV", "Maldives" },
        { "MW", "Malawi" },
        { "MX", "Mexico" },
        { "MY", "Malaysia" },
        { "MZ", "Mozambique" },
        { "NA", "Namibia" },
        { "NC", "New Caledonia" },
        { "NE", "Niger" },
        { "NF", "Norfolk Island" },
        { "NG", "Nigeria" },
        { "NI", "Nicaragua" },
        { "NL", "Netherlands" },
        { "NO", "Norway" },
        { "NP", "Nepal" },
        { "NR", "Nauru" },
        { "NU", "Niue" },
        { "NZ", "New Zealand" },
        { "OM", "Oman" },
        { "PA", "Panama" },
        { "PE", "Peru" },
        { "PF", "French Polynesia" },
        { "PG", "Papua New Guinea" },
        { "PH", "Philippines" },
        { "PK", "Pakistan" },
        { "PL", "Poland" },
        { "PM", "St Pierre & Miquelon" },
        { "PN", "Pitcairn" },
        { "PR", "Puerto Rico" },
        { "PS", "Palestine" },
        { "PT", "Portugal" },
        { "PW", "Palau" },
        { "PY", "Paraguay" },
        { "QA", "Qatar" },
        { "RE", "Réunion" },
        { "RO", "Romania" },
        { "RS", "Serbia" },
        { "RU", "Russia" },
        { "RW", "Rwanda" },
        { "SA", "Saudi Arabia" },
        { "SB", "Solomon Islands" },
        { "SC", "Seychelles" },
        { "SD", "Sudan" },
        { "SE", "Sweden" },
        { "SG", "Singapore" },
        { "SH", "St Helena" },
        { "SI", "Slovenia" },
        { "SJ", "Svalbard & Jan Mayen" },
        { "SK", "Slovakia" },
        { "SL", "Sierra Leone" },
        { "SM", "San Marino" },
        { "SN", "Senegal" },
        { "SO", "Somalia" },
        { "SR", "Suriname" },
        { "SS", "South Sudan" },
        { "ST", "Sao Tome & Principe" },
        { "SV", "El Salvador" },
        { "SX", "St Maarten (Dutch)" },
        { "SY", "Syria" },
        { "SZ", "Eswatini (Swaziland)" },
        { "TC", "Turks & Caicos Is" },
        { "TD", "Chad" },
        { "TF", "French S. Terr." },
        { "TG", "Togo" },
        { "TH", "Thailand" },
        { "TJ", "Tajikistan" },
        { "TK", "Tokelau" },
        { "TL", "East Timor" },
        { "TM", "Turkmenistan" },
        { "TN", "Tunisia" },
        { "TO", "Tonga" },
        { "TR", "Türkiye" },
        { "TT", "Trinidad & Tobago" },
        { "TV", "Tuvalu" },
        { "TW", "Taiwan" },
        { "TZ", "Tanzania" },
        { "UA", "Ukraine" },
        { "UG", "Uganda" },
        { "UM", "US minor outlying islands" },
        { "US", "United States" },
        { "UY", "Uruguay" },
        { "UZ", "Uzbekistan" },
        { "VA", "Vatican City" },
        { "VC", "St Vincent" },
        { "VE", "Venezuela" },
        { "VG", "Virgin Islands (UK)" },
        { "VI", "Virgin Islands (US)" },
        { "VN", "Vietnam" },
        { "VU", "Vanuatu" },
        { "WF", "Wallis & Futuna" },
        { "WS", "Samoa (western)" },
        { "XK", "Kosovo" },
        { "YE", "Yemen" },
        { "YT", "Mayotte" },
        { "ZA", "South Africa" },
        { "ZM", "Zambia" },
        { "ZW", "Zimbabwe" },
};

const struct country_group country_groups[] = {
        { "EU", "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE",
          "the 27 members of the European Union" },
        { "EEA", "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO",
          "the European Economic Area: EU, Iceland, Liechtenstein, Norway" },
        { "EFTA", "CH IS LI NO", "the European Free Trade Association" },
        { "NORDIC", "AX DK FI FO GL IS NO SE", "the Nordic countries with their islands" },
        { "BALTIC", "EE LV LT", "Estonia, Latvia, Lithuania" },
        { "BENELUX", "BE NL LU", "Belgium, the Netherlands, Luxembourg" },
        { "DACH", "AT CH DE", "Austria, Switzerland, Germany" },
        { "EU-WIDE", "EU", "networks registered for Europe without a country" },
        { "AP-WIDE", "AP", "networks registered for Asia and the Pacific without a country" },
        { NULL, NULL, NULL },
};

static int letter(char c)
{
        if (c >= 'a' && c <= 'z')
                return c - 'a';
        return c >= 'A' && c <= 'Z' ? c - 'A' : -1;
}

country_code country_code_from_letters(char first, char second)
{
        int a = letter(first), b = letter(second);

        if (a < 0 || b < 0)
                return COUNTRY_UNKNOWN;
        country_code code = (country_code)(a * 26 + b);
        return code == COUNTRY_CODE('U', 'K') ? COUNTRY_CODE('G', 'B') : code;
}

const char *country_code_text(country_code code, char out[COUNTRY_TEXT_SIZE])
{
        if (code >= COUNTRY_CODES)
                return strcpy(out, code == COUNTRY_NO_DATABASE ? "--" : "??");
        out[0] = (char)('A' + code / 26);
        out[1] = (char)('A' + code % 26);
        out[2] = '\0';
        return out;
}

static int compare_code(const void *key, const void *entry)
{
        return strcmp(key, ((const struct country_name *)entry)->code);
}

const char *country_code_name(country_code code)
{
        char text[COUNTRY_TEXT_SIZE];

        if (code == COUNTRY_UNKNOWN)
                return "unknown";
        if (code >= COUNTRY_CODES)
                return NULL;
        const struct country_name *found = bsearch(country_code_text(code, text), country_names,
                                                   sizeof country_names / sizeof country_names[0],
                                                   sizeof country_names[0], compare_code);
        return found ? found->name : NULL;
}

void country_set_add(struct country_set *set, country_code code)
{
        if (code < COUNTRY_CODES)
                set->bits[code / 64] |= UINT64_C(1) << code % 64;
}

bool country_set_has(const struct country_set *set, country_code code)
{
        return code < COUNTRY_CODES && set->bits[code / 64] >> code % 64 & 1;
}

size_t country_set_count(const struct country_set *set)
{
        size_t count = 0;

        for (country_code code = 0; code < COUNTRY_CODES; code++)
                count += country_set_has(set, code);
        return count;
}

bool country_set_equal(const struct country_set *a, const struct country_set *b)
{
        return memcmp(a->bits, b->bits, sizeof a->bits) == 0;
}

bool country_set_add_group(struct country_set *set, const char *name)
{
        const struct country_group *group = country_groups;

        while (group->name && strcasecmp(group->name, name) != 0)
                group++;
        if (!group->name)
                return false;
        for (const char *code = group->codes; *code; code += code[2] ? 3 : 2)
                country_set_add(set, country_code_from_letters(code[0], code[1]));
        return true;
}
