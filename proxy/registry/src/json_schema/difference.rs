//! What can differ between two JSON Schemas, and whether that keeps old data
//! readable.

use crate::schema::CompatibilityPolicy;

macro_rules! kinds {
    ($($name:ident = $text:literal, $compatible:ident;)*) => {
        /// What differs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) enum Difference {
            $($name,)*
        }

        impl Difference {
            /// The `errorType`.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// All kinds.
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            fn verdict(self) -> Verdict {
                match self {
                    $(Self::$name => Verdict::$compatible,)*
                }
            }
        }
    };
}

/// Whether a difference keeps old data readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Compatible,
    /// Only under [`CompatibilityPolicy::Lenient`].
    Lenient,
    Incompatible,
}

kinds! {
    IdChanged = "ID_CHANGED", Compatible;
    DescriptionChanged = "DESCRIPTION_CHANGED", Compatible;
    TitleChanged = "TITLE_CHANGED", Compatible;
    DefaultChanged = "DEFAULT_CHANGED", Compatible;
    SchemaAdded = "SCHEMA_ADDED", Incompatible;
    SchemaRemoved = "SCHEMA_REMOVED", Compatible;
    TypeExtended = "TYPE_EXTENDED", Compatible;
    TypeNarrowed = "TYPE_NARROWED", Incompatible;
    TypeChanged = "TYPE_CHANGED", Incompatible;

    MaxLengthAdded = "MAX_LENGTH_ADDED", Incompatible;
    MaxLengthRemoved = "MAX_LENGTH_REMOVED", Compatible;
    MaxLengthIncreased = "MAX_LENGTH_INCREASED", Compatible;
    MaxLengthDecreased = "MAX_LENGTH_DECREASED", Incompatible;
    MinLengthAdded = "MIN_LENGTH_ADDED", Incompatible;
    MinLengthRemoved = "MIN_LENGTH_REMOVED", Compatible;
    MinLengthIncreased = "MIN_LENGTH_INCREASED", Incompatible;
    MinLengthDecreased = "MIN_LENGTH_DECREASED", Compatible;
    PatternAdded = "PATTERN_ADDED", Incompatible;
    PatternRemoved = "PATTERN_REMOVED", Compatible;
    PatternChanged = "PATTERN_CHANGED", Incompatible;

    MaximumAdded = "MAXIMUM_ADDED", Incompatible;
    MaximumRemoved = "MAXIMUM_REMOVED", Compatible;
    MaximumIncreased = "MAXIMUM_INCREASED", Compatible;
    MaximumDecreased = "MAXIMUM_DECREASED", Incompatible;
    MinimumAdded = "MINIMUM_ADDED", Incompatible;
    MinimumRemoved = "MINIMUM_REMOVED", Compatible;
    MinimumIncreased = "MINIMUM_INCREASED", Incompatible;
    MinimumDecreased = "MINIMUM_DECREASED", Compatible;
    ExclusiveMaximumAdded = "EXCLUSIVE_MAXIMUM_ADDED", Incompatible;
    ExclusiveMaximumRemoved = "EXCLUSIVE_MAXIMUM_REMOVED", Compatible;
    ExclusiveMaximumIncreased = "EXCLUSIVE_MAXIMUM_INCREASED", Compatible;
    ExclusiveMaximumDecreased = "EXCLUSIVE_MAXIMUM_DECREASED", Incompatible;
    ExclusiveMinimumAdded = "EXCLUSIVE_MINIMUM_ADDED", Incompatible;
    ExclusiveMinimumRemoved = "EXCLUSIVE_MINIMUM_REMOVED", Compatible;
    ExclusiveMinimumIncreased = "EXCLUSIVE_MINIMUM_INCREASED", Incompatible;
    ExclusiveMinimumDecreased = "EXCLUSIVE_MINIMUM_DECREASED", Compatible;
    MultipleOfAdded = "MULTIPLE_OF_ADDED", Incompatible;
    MultipleOfRemoved = "MULTIPLE_OF_REMOVED", Compatible;
    MultipleOfExpanded = "MULTIPLE_OF_EXPANDED", Incompatible;
    MultipleOfReduced = "MULTIPLE_OF_REDUCED", Compatible;
    MultipleOfChanged = "MULTIPLE_OF_CHANGED", Incompatible;

    RequiredAttributeAdded = "REQUIRED_ATTRIBUTE_ADDED", Incompatible;
    RequiredAttributeWithDefaultAdded = "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED", Compatible;
    RequiredAttributeRemoved = "REQUIRED_ATTRIBUTE_REMOVED", Compatible;
    MaxPropertiesAdded = "MAX_PROPERTIES_ADDED", Incompatible;
    MaxPropertiesRemoved = "MAX_PROPERTIES_REMOVED", Compatible;
    MaxPropertiesIncreased = "MAX_PROPERTIES_INCREASED", Compatible;
    MaxPropertiesDecreased = "MAX_PROPERTIES_DECREASED", Incompatible;
    MinPropertiesAdded = "MIN_PROPERTIES_ADDED", Incompatible;
    MinPropertiesRemoved = "MIN_PROPERTIES_REMOVED", Compatible;
    MinPropertiesIncreased = "MIN_PROPERTIES_INCREASED", Incompatible;
    MinPropertiesDecreased = "MIN_PROPERTIES_DECREASED", Compatible;
    AdditionalPropertiesAdded = "ADDITIONAL_PROPERTIES_ADDED", Compatible;
    AdditionalPropertiesRemoved = "ADDITIONAL_PROPERTIES_REMOVED", Lenient;
    AdditionalPropertiesExtended = "ADDITIONAL_PROPERTIES_EXTENDED", Compatible;
    AdditionalPropertiesNarrowed = "ADDITIONAL_PROPERTIES_NARROWED", Lenient;
    UnevaluatedPropertiesAdded = "UNEVALUATED_PROPERTIES_ADDED", Compatible;
    UnevaluatedPropertiesRemoved = "UNEVALUATED_PROPERTIES_REMOVED", Lenient;
    UnevaluatedPropertiesExtended = "UNEVALUATED_PROPERTIES_EXTENDED", Compatible;
    UnevaluatedPropertiesNarrowed = "UNEVALUATED_PROPERTIES_NARROWED", Lenient;
    DependencyArrayAdded = "DEPENDENCY_ARRAY_ADDED", Incompatible;
    DependencyArrayRemoved = "DEPENDENCY_ARRAY_REMOVED", Compatible;
    DependencyArrayExtended = "DEPENDENCY_ARRAY_EXTENDED", Incompatible;
    DependencyArrayNarrowed = "DEPENDENCY_ARRAY_NARROWED", Compatible;
    DependencyArrayChanged = "DEPENDENCY_ARRAY_CHANGED", Incompatible;
    DependencySchemaAdded = "DEPENDENCY_SCHEMA_ADDED", Incompatible;
    DependencySchemaRemoved = "DEPENDENCY_SCHEMA_REMOVED", Compatible;
    RequiredPropertyAddedToOpen = "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", Incompatible;
    RequiredPropertyWithDefaultAddedToOpen =
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL", Lenient;
    OptionalPropertyAddedToOpen = "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", Lenient;
    PropertyWithEmptySchemaAddedToOpen =
        "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL", Compatible;
    RequiredPropertyAddedToUnopen =
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", Incompatible;
    RequiredPropertyWithDefaultAddedToUnopen =
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL", Compatible;
    OptionalPropertyAddedToUnopen = "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", Compatible;
    PropertyRemovedFromOpen = "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL", Compatible;
    PropertyWithFalseRemovedFromClosed =
        "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", Compatible;
    PropertyRemovedFromClosed = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", Lenient;
    PropertyRemovedIsCovered =
        "PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Compatible;
    PropertyRemovedNotCovered =
        "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Lenient;
    PropertyAddedIsCovered =
        "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Compatible;
    PropertyAddedNotCovered =
        "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Lenient;

    MaxItemsAdded = "MAX_ITEMS_ADDED", Incompatible;
    MaxItemsRemoved = "MAX_ITEMS_REMOVED", Compatible;
    MaxItemsIncreased = "MAX_ITEMS_INCREASED", Compatible;
    MaxItemsDecreased = "MAX_ITEMS_DECREASED", Incompatible;
    MinItemsAdded = "MIN_ITEMS_ADDED", Incompatible;
    MinItemsRemoved = "MIN_ITEMS_REMOVED", Compatible;
    MinItemsIncreased = "MIN_ITEMS_INCREASED", Incompatible;
    MinItemsDecreased = "MIN_ITEMS_DECREASED", Compatible;
    MaxContainsAdded = "MAX_CONTAINS_ADDED", Incompatible;
    MaxContainsRemoved = "MAX_CONTAINS_REMOVED", Compatible;
    MaxContainsIncreased = "MAX_CONTAINS_INCREASED", Compatible;
    MaxContainsDecreased = "MAX_CONTAINS_DECREASED", Incompatible;
    MinContainsAdded = "MIN_CONTAINS_ADDED", Incompatible;
    MinContainsRemoved = "MIN_CONTAINS_REMOVED", Compatible;
    MinContainsIncreased = "MIN_CONTAINS_INCREASED", Incompatible;
    MinContainsDecreased = "MIN_CONTAINS_DECREASED", Compatible;
    UniqueItemsAdded = "UNIQUE_ITEMS_ADDED", Incompatible;
    UniqueItemsRemoved = "UNIQUE_ITEMS_REMOVED", Compatible;
    AdditionalItemsAdded = "ADDITIONAL_ITEMS_ADDED", Compatible;
    AdditionalItemsRemoved = "ADDITIONAL_ITEMS_REMOVED", Incompatible;
    AdditionalItemsExtended = "ADDITIONAL_ITEMS_EXTENDED", Compatible;
    AdditionalItemsNarrowed = "ADDITIONAL_ITEMS_NARROWED", Incompatible;
    UnevaluatedItemsAdded = "UNEVALUATED_ITEMS_ADDED", Compatible;
    UnevaluatedItemsRemoved = "UNEVALUATED_ITEMS_REMOVED", Incompatible;
    UnevaluatedItemsExtended = "UNEVALUATED_ITEMS_EXTENDED", Compatible;
    UnevaluatedItemsNarrowed = "UNEVALUATED_ITEMS_NARROWED", Incompatible;
    ItemAddedToOpen = "ITEM_ADDED_TO_OPEN_CONTENT_MODEL", Incompatible;
    ItemWithEmptySchemaAddedToOpen =
        "ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL", Compatible;
    ItemAddedToClosed = "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL", Compatible;
    ItemRemovedFromOpen = "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL", Compatible;
    ItemWithFalseRemovedFromClosed =
        "ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", Compatible;
    ItemRemovedFromClosed = "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", Incompatible;
    ItemRemovedIsCovered = "ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Compatible;
    ItemRemovedNotCovered =
        "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Incompatible;
    ItemAddedIsCovered = "ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Compatible;
    ItemAddedNotCovered = "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", Incompatible;

    EnumArrayExtended = "ENUM_ARRAY_EXTENDED", Compatible;
    EnumArrayNarrowed = "ENUM_ARRAY_NARROWED", Incompatible;
    EnumArrayChanged = "ENUM_ARRAY_CHANGED", Incompatible;

    CombinedTypeExtended = "COMBINED_TYPE_EXTENDED", Compatible;
    CombinedTypeChanged = "COMBINED_TYPE_CHANGED", Incompatible;
    ProductTypeExtended = "PRODUCT_TYPE_EXTENDED", Incompatible;
    ProductTypeNarrowed = "PRODUCT_TYPE_NARROWED", Compatible;
    SumTypeExtended = "SUM_TYPE_EXTENDED", Compatible;
    SumTypeNarrowed = "SUM_TYPE_NARROWED", Incompatible;
    CombinedTypeSubschemasChanged = "COMBINED_TYPE_SUBSCHEMAS_CHANGED", Incompatible;
    NotTypeExtended = "NOT_TYPE_EXTENDED", Incompatible;
    NotTypeNarrowed = "NOT_TYPE_NARROWED", Compatible;
}

impl Difference {
    pub(super) fn is_compatible(self, policy: CompatibilityPolicy) -> bool {
        match self.verdict() {
            Verdict::Compatible => true,
            Verdict::Lenient => policy == CompatibilityPolicy::Lenient,
            Verdict::Incompatible => false,
        }
    }

    /// What to tell the author of the new schema.
    pub(super) fn description(self, path: &str) -> String {
        use Difference as D;
        let what = match self {
            D::SchemaAdded => "the new schema constrains what the old schema leaves open",
            D::TypeNarrowed | D::TypeChanged => {
                "the type in the new schema does not accept the type in the old schema"
            }
            D::MaxLengthAdded
            | D::MinLengthAdded
            | D::PatternAdded
            | D::MaximumAdded
            | D::MinimumAdded
            | D::ExclusiveMaximumAdded
            | D::ExclusiveMinimumAdded
            | D::MultipleOfAdded
            | D::MaxPropertiesAdded
            | D::MinPropertiesAdded
            | D::DependencyArrayAdded
            | D::DependencySchemaAdded
            | D::MaxItemsAdded
            | D::MinItemsAdded
            | D::MaxContainsAdded
            | D::MinContainsAdded
            | D::UniqueItemsAdded => {
                "the new schema has a keyword that the old schema does not have"
            }
            D::RequiredAttributeAdded => {
                "the property is required in the new schema and optional in the old schema"
            }
            D::MaxLengthDecreased
            | D::MaximumDecreased
            | D::ExclusiveMaximumDecreased
            | D::MaxPropertiesDecreased
            | D::MaxItemsDecreased
            | D::MaxContainsDecreased => {
                "the upper limit in the new schema is lower than in the old schema"
            }
            D::MinLengthIncreased
            | D::MinimumIncreased
            | D::ExclusiveMinimumIncreased
            | D::MinPropertiesIncreased
            | D::MinItemsIncreased
            | D::MinContainsIncreased => {
                "the lower limit in the new schema is higher than in the old schema"
            }
            D::MultipleOfExpanded => {
                "the value in the new schema is a multiple of the value in the old schema"
            }
            D::PatternChanged | D::MultipleOfChanged | D::DependencyArrayChanged => {
                "the value in the new schema differs from the value in the old schema"
            }
            D::DependencyArrayExtended => {
                "the new schema requires more properties than the old schema"
            }
            D::AdditionalPropertiesRemoved
            | D::AdditionalItemsRemoved
            | D::UnevaluatedPropertiesRemoved
            | D::UnevaluatedItemsRemoved => "the new schema forbids what the old schema allows",
            D::AdditionalPropertiesNarrowed
            | D::AdditionalItemsNarrowed
            | D::UnevaluatedPropertiesNarrowed
            | D::UnevaluatedItemsNarrowed => {
                "the new schema constrains what the old schema allows without a constraint"
            }
            D::RequiredPropertyAddedToOpen
            | D::RequiredPropertyWithDefaultAddedToOpen
            | D::OptionalPropertyAddedToOpen
            | D::ItemAddedToOpen => {
                "the new schema constrains a property or item which the old schema, with its open \
                 content model, leaves open"
            }
            D::RequiredPropertyAddedToUnopen => {
                "the new schema requires a property which is missing in the old schema"
            }
            D::PropertyRemovedFromClosed | D::ItemRemovedFromClosed => {
                "the new schema, with its closed content model, lacks a property or item of the \
                 old schema"
            }
            D::PropertyRemovedNotCovered | D::ItemRemovedNotCovered => {
                "the partially open content model of the new schema does not cover a property or \
                 item of the old schema"
            }
            D::PropertyAddedNotCovered | D::ItemAddedNotCovered => {
                "the property or item in the new schema does not cover what the partially open \
                 content model of the old schema allows"
            }
            D::EnumArrayNarrowed => "the new schema lacks values of the old schema",
            D::EnumArrayChanged => "the values in the new schema differ from the old schema's",
            D::CombinedTypeChanged => {
                "the new schema combines its parts in another way than the old schema"
            }
            D::ProductTypeExtended => "the new schema demands more parts than the old schema",
            D::SumTypeNarrowed => "the new schema offers fewer parts than the old schema",
            D::CombinedTypeSubschemasChanged => {
                "parts of the old schema have no compatible part in the new schema"
            }
            D::NotTypeExtended => "the new schema forbids more than the old schema",
            _ => "the new schema differs from the old schema in a compatible way",
        };
        format!("At path '{path}' {what}")
    }
}
