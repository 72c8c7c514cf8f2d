using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Encryption;

/// <summary>Decrypts entities read with EF Core, in place. Unencrypted texts cost only a prefix check.</summary>
public static class EncryptedReads
{
    /// <summary>Decrypts all entities of a list.</summary>
    /// <exception cref="UnreadableDataException">An entity cannot be decrypted.</exception>
    public static List<T> Open<T>(this TaskDbContext db, List<T> entities)
        where T : class
    {
        foreach (var entity in entities)
            db.Open(entity);
        return entities;
    }

    /// <summary>Decrypts an entity, tracked or not; null stays null.</summary>
    /// <exception cref="UnreadableDataException">It cannot be decrypted.</exception>
    public static T? Open<T>(this TaskDbContext db, T? entity)
        where T : class
    {
        switch (entity)
        {
            case SessionKey:
                OpenTexts(db, entity);
                break;
            case TaskState task when Array.Exists(TaskCipher.All, text => DataCipher.IsMarked(text.Get(task))):
                new TaskCipher(db.GetService<DataCipher>()).Open(task);
                break;
            case AttemptRow attempt when DataCipher.IsMarked(attempt.Error):
                attempt.Error = new TaskCipher(db.GetService<DataCipher>()).OpenError(attempt.TaskId, attempt.Error);
                break;
            case TaskEvent taskEvent when DataCipher.IsMarked(taskEvent.Error):
                new TaskCipher(db.GetService<DataCipher>()).Open(taskEvent);
                break;
            case InvalidBatchItem line when DataCipher.IsMarked(line.Message) || DataCipher.IsMarked(line.CustomId):
                BadLineCipher.Open(db.GetService<DataCipher>(), line);
                break;
            case Callback or ScheduleRecord or BatchState or TaskLogRow or FailureGroup or FailureSample or BulkOperation
                or BulkOperationTask:
                OpenTexts(db, entity);
                break;
        }

        return entity;
    }

    private static void OpenTexts(TaskDbContext db, object entity)
    {
        List<StoredText> sealedTexts = [.. StoredText.Of(entity).Where(text => DataCipher.IsMarked(text.Value))];
        if (sealedTexts.Count == 0)
            return;
        var entry = db.Entry(entity);
        var isUnchanged = entry.State == EntityState.Unchanged;
        foreach (var text in sealedTexts)
        {
            text.Set(db.GetService<DataCipher>().Open(text.Place, text.Value));
            if (!isUnchanged)
                continue;
            var property = entry.Property(text.Property); // decrypting is not a change
            property.OriginalValue = property.CurrentValue;
            property.IsModified = false;
        }
    }
}
