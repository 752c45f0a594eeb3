//! Queries: WITH, SELECT, set operations and VALUES.
//!
//! Refused: INTO, hints, samples, every clause of another engine. Where names are prefixed, each table and
//! each name that WITH gives gets the prefix, and a table without an alias keeps its own name as alias; no
//! scope has to be understood for that. Invariant: no relation is written that `relation` has not seen.

use super::walk::{Checked, Qualifier, Walk, absent, denied};
use crate::Dialect;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Cte, Distinct, Expr, Fetch, GroupByExpr, GroupByWithModifier, LimitClause, LockClause, LockType,
    NamedWindowDefinition, NamedWindowExpr, OrderBy, OrderByExpr, OrderByKind, OrderBySort, Query, Select,
    SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetQuantifier, Values,
    WildcardAdditionalOptions,
};

/// The longest name that is made for a column without one; MySQL keeps no more of it.
const MADE_NAME: usize = 60;

impl Walk {
    pub(super) fn query(&mut self, query: &mut Query) -> Checked {
        let names = self.given_names.len();
        let checked = self.deeper(|walk| walk.query_inside(query));
        self.given_names.truncate(names);
        checked
    }

    fn query_inside(&mut self, query: &mut Query) -> Checked {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        let foreign = for_clause.is_some() || settings.is_some() || format_clause.is_some();
        absent(foreign || !pipe_operators.is_empty(), "a clause of another engine")?;
        if let Some(with) = with {
            for cte in &mut with.cte_tables {
                self.cte(cte, with.recursive)?;
            }
        }
        self.body(body)?;
        if let Some(order_by) = order_by {
            self.order_by(order_by)?;
        }
        self.limit(limit_clause.as_mut())?;
        if let Some(Fetch { with_ties: _, percent, quantity }) = fetch {
            absent(*percent, "FETCH with PERCENT")?;
            quantity.iter_mut().try_for_each(|quantity| self.expr(quantity))?;
        }
        locks.iter().try_for_each(|lock| self.lock(lock))
    }

    /// One name of WITH. A name counts as given only where every engine agrees that it is: for the queries
    /// after it, and for its own with RECURSIVE.
    fn cte(&mut self, cte: &mut Cte, recursive: bool) -> Checked {
        let Cte { alias, query, from, materialized: _, closing_paren_token: _ } = cte;
        absent(from.is_some(), "FROM after WITH")?;
        let own = self.own_name(&mut alias.name)?;
        self.columns_of_alias(alias)?;
        alias.name = self.physical(&own);
        if recursive {
            self.given_names.push(own.clone());
        }
        self.query(query)?;
        self.given_names.push(own);
        Ok(())
    }

    fn body(&mut self, body: &mut SetExpr) -> Checked {
        match body {
            SetExpr::Select(select) => self.deeper(|walk| walk.select(select)),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, op: _, set_quantifier, right } => {
                let known = matches!(
                    set_quantifier,
                    SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None
                );
                absent(!known, "a set operation by name")?;
                self.body(left)?;
                self.deeper(|walk| walk.body(right))
            }
            SetExpr::Values(Values { explicit_row: _, value_keyword, rows }) => {
                absent(*value_keyword, "VALUE in place of VALUES")?;
                rows.iter_mut()
                    .flat_map(|row| &mut row.content)
                    .try_for_each(|value| self.value_of_row(value))
            }
            SetExpr::Insert(statement) | SetExpr::Update(statement) | SetExpr::Delete(statement) => {
                self.change(statement)
            }
            SetExpr::Merge(_) | SetExpr::Table(_) => denied("MERGE or TABLE; use INSERT or SELECT"),
        }
    }

    fn select(&mut self, select: &mut Select) -> Checked {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        absent(into.is_some(), "SELECT INTO")?;
        absent(!optimizer_hints.is_empty() || select_modifiers.is_some(), "a hint to the optimizer")?;
        let foreign = top.is_some() || exclude.is_some() || prewhere.is_some() || qualify.is_some();
        let lists = lateral_views.is_empty() && connect_by.is_empty() && cluster_by.is_empty();
        absent(
            foreign || !lists || !distribute_by.is_empty() || !sort_by.is_empty(),
            "a clause of another engine",
        )?;
        absent(value_table_mode.is_some() || *flavor != SelectFlavor::Standard, "this form of SELECT")?;
        let qualifier = if self.is_shadowed(from) { Qualifier::Keep } else { self.qualifier.clone() };
        self.qualified(qualifier, |walk| {
            from.iter_mut().try_for_each(|table| walk.table_with_joins(table))?;
            if let Some(Distinct::On(exprs)) = distinct {
                walk.exprs(exprs)?;
            }
            walk.projection(projection)?;
            selection.iter_mut().try_for_each(|expr| walk.expr(expr))?;
            walk.group_by(group_by)?;
            having.iter_mut().try_for_each(|expr| walk.expr(expr))?;
            named_window.iter_mut().try_for_each(|window| walk.named_window(window))
        })
    }

    fn named_window(&mut self, window: &mut NamedWindowDefinition) -> Checked {
        let NamedWindowDefinition(name, definition) = window;
        self.name(name)?;
        match definition {
            NamedWindowExpr::NamedWindow(other) => self.name(other),
            NamedWindowExpr::WindowSpec(spec) => self.window(spec),
        }
    }

    fn group_by(&mut self, group_by: &mut GroupByExpr) -> Checked {
        match group_by {
            GroupByExpr::Expressions(exprs, modifiers) => {
                let known = modifiers.iter().all(|one| *one == GroupByWithModifier::Rollup);
                absent(!known, "this form of GROUP BY")?;
                self.exprs(exprs)
            }
            GroupByExpr::All(_) => denied("GROUP BY ALL"),
        }
    }

    /// What SELECT or RETURNING gives back.
    pub(super) fn projection(&mut self, items: &mut [SelectItem]) -> Checked {
        items.iter_mut().try_for_each(|item| self.select_item(item))
    }

    fn select_item(&mut self, item: &mut SelectItem) -> Checked {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let alias = self.made_name(expr);
                self.expr(expr)?;
                if let Some(alias) = alias {
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
                }
                Ok(())
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                self.name(alias)?;
                self.expr(expr)
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                absent(!is_plain(options), "options of `*`")?;
                let qualifier = super::name::single(name)?;
                self.alias(qualifier)?;
                match &self.qualifier {
                    Qualifier::Strip => *item = SelectItem::Wildcard(options.clone()),
                    Qualifier::Physical(own) if *own == qualifier.value => *qualifier = self.physical(own),
                    _ => {}
                }
                Ok(())
            }
            SelectItem::Wildcard(options) => absent(!is_plain(options), "options of `*`"),
            _ => denied("this form of a column in SELECT"),
        }
    }

    /// Where the engine names a column after its text, the rewritten text must not show.
    fn made_name(&self, expr: &Expr) -> Option<sqlparser::ast::Ident> {
        let by_text = self.dialect != Dialect::Postgresql;
        let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_));
        if !by_text || is_column {
            return None;
        }
        let text: String = expr
            .to_string()
            .chars()
            .filter(|c| {
                (c.is_alphanumeric() || c.is_ascii_punctuation() || *c == ' ') && !"\"`\\'[]".contains(*c)
            })
            .take(MADE_NAME)
            .collect();
        let text = text.trim();
        (!text.is_empty() && text.len() <= MADE_NAME).then(|| self.written_as(text))
    }

    pub(super) fn order_by(&mut self, order_by: &mut OrderBy) -> Checked {
        absent(order_by.interpolate.is_some(), "INTERPOLATE")?;
        match &mut order_by.kind {
            OrderByKind::Expressions(terms) => self.order_terms(terms),
            OrderByKind::All(_) => denied("ORDER BY ALL"),
        }
    }

    pub(super) fn order_terms(&mut self, terms: &mut [OrderByExpr]) -> Checked {
        terms.iter_mut().try_for_each(|term| {
            let OrderByExpr { expr, options, with_fill } = term;
            absent(
                with_fill.is_some() || matches!(options.sort, Some(OrderBySort::Using(_))),
                "this form of ORDER BY",
            )?;
            self.expr(expr)
        })
    }

    fn limit(&mut self, limit: Option<&mut LimitClause>) -> Checked {
        match limit {
            None => Ok(()),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                absent(!limit_by.is_empty(), "LIMIT BY")?;
                limit.iter_mut().try_for_each(|limit| self.expr(limit))?;
                offset.iter_mut().try_for_each(|offset| self.expr(&mut offset.value))
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                self.expr(offset)?;
                self.expr(limit)
            }
        }
    }

    /// Rows may be locked, but only all of them and only for UPDATE or SHARE: a guest that waits for nobody
    /// could tell by it what others hold.
    fn lock(&mut self, lock: &LockClause) -> Checked {
        let LockClause { lock_type, of, nonblock } = lock;
        absent(of.is_some() || nonblock.is_some(), "FOR UPDATE with OF, NOWAIT or SKIP LOCKED")?;
        absent(self.dialect == Dialect::Sqlite, "FOR UPDATE; a transaction for writing is enough")?;
        self.locks = matches!(lock_type, LockType::Update | LockType::Share);
        Ok(())
    }
}

fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    *options == WildcardAdditionalOptions { wildcard_token: AttachedToken::empty(), ..Default::default() }
}
