//! The fields of `[network]`.

use crate::fields::{Choices, Default, EVERY, Field, Type};
use crate::rules;

/// The fields of the network.
pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "network",
        of: EVERY,
        kind: Type::Table,
        doc: "A virtual network of the application's own. Services and what they use lie in its subnets, which are made \
              as they are needed; a subnet that matters can be declared.",
        default: Default::Absent(
            "no network: everything is reached by the internet, with identities to open it",
        ),
        azure: &["Microsoft.Network/virtualNetworks"],
        example: "",
    },
    Field {
        path: "network.space",
        of: EVERY,
        kind: Type::Text(&rules::SPACE),
        doc: "The addresses of the network: an IPv4 range from /8 to /29, private ones as a rule.",
        default: Default::Same(
            "\"10.0.0.0/16\"",
            "room for every subnet; choose another one to connect networks",
        ),
        azure: &["properties.addressSpace.addressPrefixes"],
        example: "\"10.0.0.0/16\"",
    },
    Field {
        path: "network.private",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether what services use is reached through private endpoints only, with the DNS zones that they take. \
              Every type that can have an endpoint gets one, and is closed to the internet.",
        default: Default::Same(
            "false",
            "images are pushed and data is reached from outside the network until somebody closes it",
        ),
        azure: &[
            "Microsoft.Network/privateEndpoints",
            "Microsoft.Network/privateDnsZones",
            "properties.publicNetworkAccess",
        ],
        example: "true",
    },
    Field {
        path: "network.outbound",
        of: EVERY,
        kind: Type::Choice(Choices {
            words: &[
                ("default", "by whatever address the service it comes from has"),
                ("nat", "by one static address: a NAT gateway"),
            ],
            later: &[],
        }),
        doc: "How traffic to the internet leaves. Partners can allow the address of a NAT gateway.",
        default: Default::Tiers(
            ["\"default\"", "\"default\"", "\"nat\""],
            "production leaves by one address that others can know, which costs some 30 USD a month",
        ),
        azure: &["Microsoft.Network/natGateways", "subnets.properties.natGateway"],
        example: "\"nat\"",
    },
    Field {
        path: "network.subnet",
        of: EVERY,
        kind: Type::Named(&rules::SUBNET),
        doc: "Parts of the network, each under a name: `[network.subnet.data]`.",
        default: Default::Absent("those that services and resources need, each in its place of the space"),
        azure: &["Microsoft.Network/virtualNetworks/subnets"],
        example: "",
    },
    Field {
        path: "network.subnet.*",
        of: EVERY,
        kind: Type::Table,
        doc: "A subnet. Each has a security group that denies what is not allowed to come in.",
        default: Default::Absent("no such subnet"),
        azure: &["Microsoft.Network/virtualNetworks/subnets", "Microsoft.Network/networkSecurityGroups"],
        example: "",
    },
    Field {
        path: "network.subnet.*.range",
        of: EVERY,
        kind: Type::Text(&rules::SUBNET_RANGE),
        doc: "Its addresses: a range within the network's space. Azure keeps five of them.",
        default: Default::Absent("the place that its purpose has in the space"),
        azure: &["properties.addressPrefix"],
        example: "\"10.0.1.0/24\"",
    },
    Field {
        path: "network.subnet.*.for",
        of: EVERY,
        kind: Type::Choice(Choices {
            words: &[
                ("container-apps", "the Container Apps environment; at least /27"),
                ("app-service", "the outbound side of App Service apps; at least /28"),
                ("functions", "the outbound side of Functions; at least /27"),
                ("container-instances", "Container Instances; at least /28"),
                ("postgres", "PostgreSQL servers; at least /28"),
                ("kubernetes", "the nodes of the cluster; at least /26"),
                ("endpoints", "private endpoints; at least /28"),
                ("gateway", "the Application Gateway; at least /27"),
                ("bastion", "Azure Bastion; at least /26, and Azure names it AzureBastionSubnet"),
                ("vpn", "a VPN gateway; at least /27, and Azure names it GatewaySubnet"),
            ],
            later: &[],
        }),
        doc: "What it is for. Most services of Azure want a subnet of their own, delegated to them; of each kind there \
              is one.",
        default: Default::Absent("anything else, such as machines or a pool of nodes that names it"),
        azure: &["properties.delegations", "name"],
        example: "\"postgres\"",
    },
];
