using System.Linq.Expressions;
using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Sqlite;

namespace TaskQueue.Tests.Servers;

/// <summary>
/// Every engine query that EF Core compiles for another database in a test must also translate to SQL Server;
/// otherwise the query throws. A query is compiled once per process, so this costs little.
/// </summary>
internal sealed class SqlServerTranslation : IQueryExpressionInterceptor
{
    private static readonly SqlServerTranslation Instance = new();

    public static void AddTo(IServiceCollection services) => services
        .ConfigureDbContext<SqliteTaskDbContext>(o => o.AddInterceptors(Instance))
        .ConfigureDbContext<PostgresTaskDbContext>(o => o.AddInterceptors(Instance));

    public Expression QueryCompilationStarting(Expression queryExpression, QueryExpressionEventData eventData)
    {
        using var db = TestDatabase.CreateContext(DatabaseProvider.SqlServer);
        var query = new Moved(db).Visit(queryExpression);
        var rows = query.Type.GetInterfaces().Append(query.Type)
            .FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IQueryable<>));
        var result = rows is null ? query.Type : typeof(IEnumerable<>).MakeGenericType(rows.GetGenericArguments());
        var compilation = db.GetService<IQueryCompilationContextFactory>().Create(async: false);
        typeof(QueryCompilationContext).GetMethod(nameof(QueryCompilationContext.CreateQueryExecutor))!.MakeGenericMethod(result)
            .Invoke(compilation, BindingFlags.DoNotWrapExceptions, binder: null, [query], culture: null);
        return queryExpression;
    }

    /// <summary>The same query on the tables of another context.</summary>
    private sealed class Moved(DbContext db) : ExpressionVisitor
    {
        protected override Expression VisitExtension(Expression node) =>
            node is EntityQueryRootExpression root ? new EntityQueryRootExpression(db.Model.FindEntityType(root.EntityType.Name)!)
                : base.VisitExtension(node);
    }
}
