//! App to the graph of Azure resources it takes
